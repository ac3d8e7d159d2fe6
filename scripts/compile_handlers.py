"""Compile the functions' handlers, so that Lambda does not compile them at every cold start.

Prints the tag in the names of the compiled files, or nothing if this machine lacks the functions'
Python. The bytecode stays in __pycache__. It is checked against its source when it is loaded, so
one that is left over from an earlier source does no harm.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from scripts.build_layers import SAME_EVERYWHERE, cache_tag, find_python, pythons_on

STDERR = 2  # the output is the tag
TASK_ROOT = "/var/task"
"""Where Lambda unpacks a function."""


def compile_handlers(functions: Path, python: str) -> None:
    """Raises CalledProcessError if a module does not compile."""
    paths = ["-s", str(functions.parent), "-p", TASK_ROOT]
    command = [python, "-S", "-m", "compileall", "-q", "-f", "--invalidation-mode", "checked-hash"]
    subprocess.run(  # noqa: S603 - a Python of this machine
        [*command, *paths, str(functions)], env=SAME_EVERYWHERE, check=True, stdout=STDERR
    )


def main(functions: Path, version: str) -> int:
    python = find_python(version, pythons_on(os.environ["PATH"], version))
    if python is None:
        return 0  # building the layers says what that costs
    try:
        compile_handlers(functions, python)
    except subprocess.CalledProcessError:
        sys.stderr.write(
            f"Python {version} cannot compile the handlers named above. Correct them.\n"
        )
        return 1
    sys.stdout.write(f"{cache_tag(python)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
