"""A command of npm, as people and programs run it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from scripts.access.shell import Shell
from tests.scripts.tool_stores import NOW


class Tool:
    """A tool in a folder. place: options that follow all others."""

    def __init__(
        self,
        main: Callable[[Shell], int],
        folder: Path,
        environ: Mapping[str, str],
        *place: str,
        now: float = NOW,
    ) -> None:
        self._main, self._now = main, now
        self.folder = folder
        self.environ = environ
        self.place = place

    def run(self, *arguments: str, stdin: io.StringIO | None = None) -> tuple[int, str, str]:
        """The exit code, standard output and standard error."""
        stdin, out, err = stdin or io.StringIO(), io.StringIO(), io.StringIO()
        words = [*arguments, *self.place]
        shell = Shell(words, self.environ, stdin, out, err, self.folder, lambda: self._now)
        code = self._main(shell)
        return code, out.getvalue(), err.getvalue()

    def said(self, *arguments: str) -> str:
        code, out, err = self.run(*arguments)
        assert code == 0, err
        return out

    def document(self, *arguments: str) -> Any:
        return json.loads(self.said(*arguments, "--json"))

    def error(self, *arguments: str) -> str:
        """The one line of a command that fails."""
        code, out, err = self.run(*arguments)
        assert (code, out, err.count("\n")) == (1, "", 1)
        return err
