"""Runs the lines that the playground shows, as if they were pasted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.running_stack import PATIENCE_S, ROOT


def paste(language: str, code: str, **environ: str) -> str:
    """Return what the lines print."""
    # The shell's python3 is that of this run, which has the packages.
    folder = Path(sys.executable).parent
    kept = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "HOME": os.environ["HOME"]}
    command = {
        "curl": ["bash", "-c", code],
        # Patient enough for a local stack.
        "wscat": ["bash", "-c", code.replace("sleep 10", "sleep 3").replace("-w 10", "-w 2")],
        "Python": [sys.executable, "-c", code],
        "JavaScript": ["node", "--input-type=module", "-e", code],
    }[language]
    done = subprocess.run(
        command, cwd=ROOT, env={**kept, **environ}, capture_output=True, text=True,
        timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{code}\n{done.stderr}"
    return done.stdout
