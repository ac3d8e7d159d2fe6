"""A model is installed after consent, whole, and in a folder of its own."""

from __future__ import annotations

import asyncio
import io
import os
from pathlib import Path

import pytest

from local.errors import ConfigurationError
from local.models.installation import Installation, InstallationError, check_consent
from tests.local.models.stand_in_model import PARTS, stand_in


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def install(found: Installation) -> list[str]:
    lines: list[str] = []
    asyncio.run(found.install(os.environ, lines.append))
    return lines


def test_weights_are_joined_and_their_parts_removed(tmp_path: Path) -> None:
    found = stand_in(tmp_path)
    assert not found.is_ready()
    lines = install(found)
    assert found.is_ready()
    assert found.weights.read_bytes() == b"".join(PARTS)
    assert not list(found.folder.rglob("*.part*"))
    assert "about 1 MB" in lines[0]
    # Another lock needs another installation.
    (found.checkout / "lock.txt").write_text("newer")
    assert not found.is_ready()


def test_weights_with_another_digest_are_not_kept(tmp_path: Path) -> None:
    found = stand_in(tmp_path, sha256="0" * 64)
    with pytest.raises(InstallationError, match="have another SHA-256"):
        install(found)
    assert not found.is_ready()
    assert not found.weights.exists()


def test_failing_installer_leaves_nothing_ready(tmp_path: Path) -> None:
    found = stand_in(tmp_path, more="sys.exit('no such package')")
    with pytest.raises(InstallationError, match=r"cannot install what lock\.txt locks"):
        install(found)
    assert not found.is_ready()


def test_end_of_the_stack_ends_the_installer(tmp_path: Path) -> None:
    found = stand_in(tmp_path, more="import time; time.sleep(600)")

    async def run() -> None:
        is_at_work = asyncio.Event()
        log = lambda line: is_at_work.set() if "at work" in line else None  # noqa: E731
        task = asyncio.create_task(found.install(os.environ, log))
        await is_at_work.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())  # waits for the installer's end
    assert not found.is_ready()


@pytest.mark.parametrize(("answer", "is_yes"), [("y\n", True), ("YES\n", True), ("\n", False)])
def test_terminal_is_asked_with_size_place_and_terms(
    tmp_path: Path, answer: str, *, is_yes: bool
) -> None:
    found, out = stand_in(tmp_path), Terminal()
    if is_yes:
        check_consent(found, Terminal(answer), out, agreed=False)
    else:
        with pytest.raises(ConfigurationError, match="was not installed"):
            check_consent(found, Terminal(answer), out, agreed=False)
    for part in ("1 MB", "2 MB", str(found.folder), "https://ai.google.dev/gemma/terms", "[y/N]"):
        assert part in out.getvalue()


def test_without_a_terminal_the_option_is_named(tmp_path: Path) -> None:
    found = stand_in(tmp_path)
    for stdin, out in ((io.StringIO("y\n"), Terminal()), (Terminal("y\n"), io.StringIO())):
        with pytest.raises(ConfigurationError, match=r"Add --yes to download 1 MB.*gemma/terms"):
            check_consent(found, stdin, out, agreed=False)
        assert out.getvalue() == ""


def test_nothing_is_asked_if_it_was_agreed_or_is_installed(tmp_path: Path) -> None:
    found, out = stand_in(tmp_path), Terminal()
    check_consent(found, Terminal(), out, agreed=True)
    install(found)
    check_consent(found, Terminal(), out, agreed=False)
    assert out.getvalue() == ""
