"""Entry point of `python -m local`."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys

_OPEN_FILES = 10_240
"""Soft limit where the hard one is unlimited, in files: what macOS accepts."""


def _raise_file_limit() -> None:
    # Each connection and each process of a function takes descriptors; macOS begins with 256.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = _OPEN_FILES if hard == resource.RLIM_INFINITY else hard
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _start() -> int:
    # Nothing needs cleaning up yet: until then Ctrl-C ends the process without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _raise_file_limit()
    environ = dict(os.environ)
    # aiohttp reads every certificate authority when it is imported, a sixth of the time to start.
    # This process only serves; its children get `environ`.
    os.environ.update(SSL_CERT_FILE=os.devnull, SSL_CERT_DIR=os.devnull)
    from local.command_line import main  # noqa: PLC0415 - slow to import, and Ctrl-C may come

    return main(sys.argv[1:], environ)


if __name__ == "__main__":
    sys.exit(_start())
