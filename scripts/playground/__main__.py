"""`npm run playground -- --stage dev`: the playground for a deployed stage.

A small server on this machine serves the page. The browser itself connects to the stage, with what
the user types there: this program has no key.
"""

from __future__ import annotations

import sys

from scripts.access.shell import shell_of_process
from scripts.playground.program import main

if __name__ == "__main__":
    sys.exit(main(shell_of_process()))
