"""Which models there are, and where they run."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.errors import ConfigurationError
from local.models.catalog import GEMMA3, MODELS, Platform, check_platform, model_named

ROOT = Path(__file__).parents[3]


def test_unknown_model_is_named_with_those_that_are_known() -> None:
    assert model_named("gemma3") is GEMMA3
    with pytest.raises(ConfigurationError, match=r"--model must be gemma3 \(got 'gemma4'\)"):
        model_named("gemma4")


@pytest.mark.parametrize(
    ("found", "named"),
    [
        (Platform("Linux", "x86_64", "glibc"), ""),
        (Platform("Linux", "aarch64", "glibc"), ""),
        (Platform("Darwin", "arm64", ""), ""),
        (Platform("Linux", "x86_64", ""), "this is Linux with an unknown C library on x86_64"),
        (Platform("Linux", "armv7l", "glibc"), "this is Linux with glibc on armv7l"),
        (Platform("FreeBSD", "amd64", ""), "this is FreeBSD on amd64"),
    ],
)
def test_machine_without_a_build_is_named_before_the_download(found: Platform, named: str) -> None:
    if not named:
        check_platform(GEMMA3, found)
        return
    with pytest.raises(ConfigurationError, match=named):
        check_platform(GEMMA3, found)


def test_locks_exist_and_no_other_lock_has_their_packages() -> None:
    others = [lock for lock in ROOT.glob("requirements*.txt") if "model" not in lock.name]
    for model in MODELS.values():
        assert "xllamacpp==" in (ROOT / model.lock).read_text(encoding="utf-8")
    assert others
    assert not any("llamacpp" in lock.read_text(encoding="utf-8") for lock in others)
