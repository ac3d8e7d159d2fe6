"""Entry point of `python -m local`."""

from __future__ import annotations

import os
import signal
import sys


def _start() -> int:
    # Nothing needs cleaning up yet: until then Ctrl-C ends the process without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    environ = dict(os.environ)
    # aiohttp reads every certificate authority when it is imported, a sixth of the time to start.
    # This process only serves; its children get `environ`.
    os.environ.update(SSL_CERT_FILE=os.devnull, SSL_CERT_DIR=os.devnull)
    from local.command_line import main  # noqa: PLC0415 - slow to import, and Ctrl-C may come

    return main(sys.argv[1:], environ)


if __name__ == "__main__":
    sys.exit(_start())
