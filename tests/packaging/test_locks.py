from __future__ import annotations

import json
import re

import pytest

from tests.packaging.packaged_service import CHECKOUT

INSTALLED_TOGETHER = ("layers/shared/requirements.txt", "requirements.txt", "requirements-dev.txt")
PYTHON_LOCKS = (*INSTALLED_TOGETHER, "requirements-lint.txt", "requirements-model.txt")
REGISTRY = re.compile(r"https?://|file://|--(extra-)?index-url|--find-links")


def pins(lock: str) -> dict[str, str]:
    """Return each locked package with its version; names in small letters, as uv writes them."""
    text = (CHECKOUT / lock).read_text()
    return dict(re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", text, re.MULTILINE))


@pytest.mark.parametrize("lock", PYTHON_LOCKS)
def test_every_python_package_is_pinned_by_hash_and_no_registry_is_named(lock: str) -> None:
    text = (CHECKOUT / lock).read_text()
    entries = re.split(r"\n(?=[^\s#])", text)[1:]
    assert len(entries) >= len(pins(lock)) > 0
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []
    assert "npm run lock" in text[:200]
    assert REGISTRY.search(text) is None


def test_each_lock_includes_the_one_before_it() -> None:
    layer, service, development = (pins(lock).items() for lock in INSTALLED_TOGETHER)
    assert layer < service < development


def test_shared_layer_ships_no_aws_client() -> None:
    assert not {"boto3", "botocore"} & set(pins(INSTALLED_TOGETHER[0]))


def test_every_node_module_is_pinned_by_hash_and_names_no_registry() -> None:
    lock = json.loads((CHECKOUT / "package-lock.json").read_text())
    modules = {place: module for place, module in lock["packages"].items() if place}
    assert modules
    for module in modules.values():
        assert module["integrity"].startswith("sha512-")
        assert "resolved" not in module  # npm install --omit-lockfile-registry-resolved


def test_commands_are_pinned_exactly() -> None:
    package = json.loads((CHECKOUT / "package.json").read_text())
    root = json.loads((CHECKOUT / "package-lock.json").read_text())["packages"][""]
    signers = {"@smithy/signature-v4", "aws4", "aws4fetch"}
    browser = {"@sparticuz/chromium", "playwright-core"}
    for kind, names in (
        ("dependencies", {"wscat"}),
        ("devDependencies", {"openai", "osls", *signers, *browser}),
    ):
        assert set(package[kind]) == names
        assert all(version[0].isdigit() for version in package[kind].values())
        assert root[kind] == package[kind]
