"""`npm run playground -- --stage dev`: the playground for a deployed stage.

A small server on this machine serves the page. The browser itself connects to the stage, with what
the user types there: this program has no key.
"""

from __future__ import annotations

import os
import sys

from scripts.playground.program import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ, sys.stdout, sys.stderr))
