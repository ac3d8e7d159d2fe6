"""Runs the lines that the playground shows, as if they were pasted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.running_stack import PATIENCE_S, ROOT, patient_wscat


def paste(language: str, code: str, **environ: str) -> str:
    """Return what the lines print."""
    # The shell's python3 is that of this run, which has the packages.
    folder = Path(sys.executable).parent
    kept = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "HOME": os.environ["HOME"]}
    command = {
        "curl": ["bash", "-c", code],
        "wscat": ["bash", "-c", patient_wscat(code)],
        "Python": [sys.executable, "-c", code],
        "JavaScript": ["node", "--input-type=module", "-e", code],
    }[language]
    with subprocess.Popen(
        command, cwd=ROOT, env={**kept, **environ}, stdout=subprocess.PIPE,
        text=True, start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        printed = ""
        for line in process.stdout:
            printed += line
            if language == "wscat" and '"done":true' in line:  # it would stay for long
                os.killpg(process.pid, signal.SIGTERM)
                return printed
        assert process.wait(PATIENCE_S) == 0, code
        return printed
