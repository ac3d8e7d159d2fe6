"""`npm run chat`: talk to a model through the local stack, or through a deployed stage.

    npm run chat                                   # a conversation with npm start
    npm run chat -- "Hello"                        # one prompt
    npm run -s chat -- "Summarize" < notes.txt     # only the answer on stdout
    npm run chat -- --stage dev --ws -m gpt-6-luna

docs/chat.md has more.
"""

from __future__ import annotations

import signal
import sys


def _start() -> int:
    # Until the imports are done, Ctrl-C ends the process without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from scripts.access.shell import shell_of_process  # noqa: PLC0415 -- the same
    from scripts.chat.program import main  # noqa: PLC0415 -- slow to import, and Ctrl-C may come

    signal.signal(signal.SIGINT, signal.default_int_handler)
    return main(shell_of_process())


if __name__ == "__main__":
    sys.exit(_start())
