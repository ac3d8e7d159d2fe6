"""Versions agree everywhere, and CI runs what it should."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

from sluice import VERSION

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
COMMIT = re.compile(r"[0-9a-f]{40}")


def read_json(name: str) -> Any:
    return json.loads((ROOT / name).read_text(encoding="utf-8"))


def read_yaml(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def test_version_is_the_same_everywhere() -> None:
    version = read_json("package.json")["version"]
    lock = read_json("package-lock.json")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## ([^\s,]+)", changelog, re.MULTILINE)
    assert newest
    assert [version] * 4 == [
        VERSION,
        lock["version"],
        lock["packages"][""]["version"],
        newest[1],
    ], "see docs/releasing.md"


def test_ci_tests_the_oldest_supported_and_the_deployed_versions() -> None:
    jobs = read_yaml(".github/workflows/ci.yml")["jobs"]
    pairs = jobs["test"]["strategy"]["matrix"]["include"]
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    oldest = tools["mypy"]["python_version"]
    assert (pairs[0]["python"], f">={pairs[0]['node']}") == (
        oldest,
        read_json("package.json")["engines"]["node"],
    )
    assert tools["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"
    assert tools["pyright"]["pythonVersion"] == oldest
    service = (ROOT / "serverless.yml").read_text(encoding="utf-8")
    runtime = re.search(r"^  runtime: python(\S+)", service, re.MULTILINE)
    assert runtime
    assert runtime[1] in [pair["python"] for pair in pairs]


def test_workflows_pin_actions_by_commit_and_only_read() -> None:
    assert WORKFLOWS
    for workflow in WORKFLOWS:
        text = workflow.read_text(encoding="utf-8")
        for action in re.findall(r"uses: (.+)", text):
            assert re.fullmatch(rf"[\w./-]+@{COMMIT.pattern} # v[\d.]+", action), action
        assert yaml.safe_load(text)["permissions"] == {"contents": "read"}
        assert "secrets." not in text


def test_hooks_of_other_repositories_are_pinned_by_commit() -> None:
    for repository in read_yaml(".pre-commit-config.yaml")["repos"]:
        assert repository["repo"] == "local" or COMMIT.fullmatch(repository["rev"])
