"""Entry point of `python -m local`."""

from __future__ import annotations

import os
import sys

from local.command_line import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
