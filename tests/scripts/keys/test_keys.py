"""`npm run keys` as people and programs see it, on the local store and on a stage's table."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from scripts.keys.__main__ import main
from sluice.access.identity import KEY_PREFIX
from sluice.authentication import key_digest
from tests.child_environment import ROOT
from tests.scripts.tool_runs import Tool

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

KEY = f"{KEY_PREFIX}{'Ab3' * 10}zz"
IAM = "arn:aws:iam::123456789012"
ROLE = f"{IAM}:role/team"
MAKE_KEYS = ("create", "rotate")


class KeysTool(Tool):
    """Commands that make no key, or that fail, show none, and no part of one."""

    def __init__(self, folder: Path, environ: Mapping[str, str], *place: str) -> None:
        super().__init__(lambda shell: main(shell, self.make_key), folder, environ, *place)
        self.keys = [KEY]

    def run(self, *arguments: str, stdin: io.StringIO | None = None) -> tuple[int, str, str]:
        code, out, err = super().run(*arguments, stdin=stdin)
        parts = [KEY[n : n + 8] for n in range(10, len(KEY) - 8)]
        makes_key = code == 0 and arguments[0] in MAKE_KEYS
        assert makes_key or not any(part in out + err for part in parts)
        return code, out, err

    def make_key(self) -> str:
        return self.keys.pop() if len(self.keys) > 1 else self.keys[0]

    def error(self, *arguments: str) -> str:
        err = super().error(*arguments)
        assert err.startswith("keys: ")
        return err.removeprefix("keys: ").rstrip()


@pytest.fixture
def local(tmp_path: Path) -> KeysTool:
    return KeysTool(tmp_path, {})


@pytest.fixture(params=["local", "stage"])
def tool(request: pytest.FixtureRequest, local: KeysTool) -> KeysTool:
    if request.param == "local":
        return local
    request.getfixturevalue("table")
    return KeysTool(local.folder, dict(os.environ), "--stage", "dev")


def test_key_is_shown_once(tool: KeysTool) -> None:
    said = tool.said("create", "team-a", "--rpm", "60")
    assert said == f"Created team-a. Its key is shown now and never again:\n\n{KEY}\n\n"
    said = tool.said("list") + tool.said("show", "team-a") + tool.said("block", "team-a")
    assert key_digest(KEY)[:12] not in said
    assert KEY_PREFIX not in said + json.dumps(tool.document("list"))


def test_program_gets_litellms_fields_and_the_key(tool: KeysTool) -> None:
    limits = ("--models", "gpt-*,o3", "--rpm", "60", "--tpm", "1000", "--parallel", "2")
    budget = ("--budget", "25.5", "--budget-duration", "1mo", "--expires", "30d")
    own = ("--prompt-templates", '["PROMPT_A"]', "--metadata", '{"cost_center": 7}')
    made = tool.document("create", "--alias", "team-a", *limits, *budget, *own)
    assert made == {
        "key": KEY,
        "key_alias": "team-a",
        "token": key_digest(KEY),
        "principal": None,
        "models": ["gpt-*", "o3"],
        "prompt_templates": ["PROMPT_A"],
        "rpm_limit": 60,
        "tpm_limit": 1000,
        "max_parallel_requests": 2,
        "max_budget": 25.5,
        "budget_duration": "1mo",
        "duration": "30d",
        "expires": "2027-02-14T08:00:00Z",
        "blocked": False,
        "metadata": {"cost_center": 7},
        "created_at": "2027-01-15T08:00:00Z",
        "updated_at": "2027-01-15T08:00:00Z",
        "shards": 1,
    }
    del made["key"]
    (listed,) = tool.document("list")
    assert listed == tool.document("show", "team-a")
    assert made.items() <= listed.items()
    assert (listed["spend"], listed["budget_reset_at"]) == (0.0, "2027-02-01T00:00:00Z")


def test_table_has_a_row_for_each_record(tool: KeysTool) -> None:
    assert tool.said("list").startswith("There is no record yet.")
    budget = ("--budget", "0.000001", "--budget-duration", "7d")
    tool.said("create", "team-a", *budget, "--rpm", "60")
    tool.said("create", "deployer", "--principal", ROLE, "--expires", "1mo")
    tool.said("block", "deployer")
    lines = [re.split(r"  +", line) for line in tool.said("list").splitlines()]
    spent = ["0.000001/7d", "0.00", "2027-01-18T00:00:00Z"]
    assert lines == [
        ["ALIAS", "STATE", "FOR", "RPM", "TPM", "PARALLEL", "BUDGET", "SPENT", "RESETS", "EXPIRES"],
        ["deployer", "blocked", ROLE, *"------", "2027-02-15T08:00:00Z"],
        ["team-a", "active", "a key", "60", "-", "-", *spent, "-"],
    ]


def test_record_is_changed_and_removed(tool: KeysTool) -> None:
    tool.said("create", "team-a", "--rpm", "60", "--budget", "2")
    changed = tool.document("update", "team-a", "--rpm", "none", "--tpm", "9")
    assert (changed["rpm_limit"], changed["tpm_limit"], changed["max_budget"]) == (None, 9, 2.0)
    assert tool.document("block", "team-a")["blocked"]
    assert not tool.document("unblock", "--alias", "team-a")["blocked"]
    assert tool.said("show", "team-a").count("no limit") == 2
    assert tool.document("delete", "team-a") == {
        "key_alias": "team-a",
        "deleted": True,
        "charged_requests": 0,
    }
    assert tool.document("list") == []
    assert tool.error("delete", "team-a") == "Unknown alias team-a. There is no record yet."


def test_rotation_shows_the_new_key(tool: KeysTool) -> None:
    tool.keys = [KEY, f"{KEY_PREFIX}an-older-one"]
    tool.said("create", "team-a")
    said = tool.said("rotate", "team-a")
    assert said == (
        f"Rotated team-a. Its key is shown now and never again:\n\n{KEY}\n\n"
        "The old key is refused from now on.\n"
    )
    assert tool.document("show", "team-a")["token"] == key_digest(KEY)


def test_notes_say_what_a_record_needs(local: KeysTool) -> None:
    def note(alias: str, *arguments: str, **settings: str) -> str:
        local.environ = settings
        said = local.run("create", alias, *arguments)[2]
        local.said("delete", alias)
        return said

    assert "FUNCTION_URL_AUTH=none only" in note("a")
    assert note("b", FUNCTION_URL_AUTH="none") == ""
    assert "IAM_RECORDS=true only" in note("c", "--principal", ROLE)
    assert note("d", "--principal", f"{ROLE}-2", IAM_RECORDS="true") == ""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("create",), "Which record? Write: npm run keys -- create ALIAS"),
        (("show", "a", "--alias", "b"), "Which record? Write: npm run keys -- show ALIAS"),
        (("create", "a b"), "ALIAS: an alias must have 1 to 100 letters"),
        (("create", "a", "--rpm", "0"), "--rpm: must be a whole number, at least 1, or none"),
        (("create", "a", "--tpm", "-5"), "--tpm: must be a whole number"),
        (("create", "a", "--parallel", "٣"), "--parallel: must be a whole number"),
        (("create", "a", "--budget", "1e-7"), "--budget: must be an amount in USD, such as 25"),
        (("create", "a", "--budget", "inf"), "--budget: must be an amount"),
        (("create", "a", "--budget", "-1"), "--budget: must be an amount"),
        (("create", "a", "--budget-duration", "1d"), "--budget-duration needs --budget"),
        (("create", "a", "--budget-duration", "monthly"), "--budget-duration: must be a time such"),
        (("create", "a", "--expires", "0d"), "--expires: must be a time such as 30s"),
        (("create", "a", "--models", "[1]"), "--models: must be names or shell patterns"),
        (("create", "a", "--metadata", "[]"), "--metadata: must be a JSON object"),
        (("create", "a", "--expires", "99999mo"), "--expires: must be a time such as 30s"),
        (("create", "a", "--principal", "team"), "--principal: must be the ARN of an IAM role"),
        (("create", "a", "--principal", f"{IAM}:group/a"), "--principal: must be the ARN of an"),
        (("create", "a", "--principal", f"{IAM}:role/"), "--principal: must be the ARN of an"),
        (("create", "a", "--rpm"), "--rpm: expected one argument"),
        (("list", "--region", "eu-west-1"), "--region needs --stage"),
        (("list", "--stage", "a/b"), "--stage: must be letters, digits and hyphens"),
        (("list", "a"), "Unknown option or argument. All options: npm run keys -- list --help"),
        (("frobnicate",), "command: must be one of create, list, show, update, block, "),
        ((), "Usage: npm run keys -- [-h] {create,list,show,"),
        (("create", "a", "--models", ""), "--models: must be names or shell patterns"),
        (("show", "team"), "Unknown alias team. There is no record yet."),
    ],
)
def test_wrong_command_line_says_what_was_expected(
    local: KeysTool, arguments: tuple[str, ...], expected: str
) -> None:
    assert local.error(*arguments).startswith(expected)


def test_key_on_the_command_line_is_not_repeated(local: KeysTool) -> None:
    for arguments in (
        (KEY,),
        ("show", KEY),
        ("create", "--alias", KEY),
        ("create", "a", KEY),
        ("create", "a", "--rpm", KEY),
        ("create", "a", f"--json={KEY}"),
        ("create", "a", f"--{KEY}"),
        ("list", "--stage", f"{KEY}!"),
    ):
        local.error(*arguments)  # it looks for the key


def test_files_of_settings_are_those_of_npm_start(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("STATE_FILE=own/$NAME.db\nFUNCTION_URL_AUTH=none\n")
    tool = KeysTool(tmp_path, {"NAME": "mine"})
    assert tool.run("create", "team-a")[2] == ""
    assert (tmp_path / "own" / "mine.db").exists()
    (tmp_path / ".env.dev").write_text("")  # the stage of npm start
    tool.said("list")
    assert (tmp_path / ".state" / "sluice.sqlite3").exists()
    (tmp_path / ".env.dev").write_text("no variable\n")
    assert tool.error("list").startswith(f"{tmp_path}/.env.dev, line 1: must be NAME=value.")
    tool.environ = {"STATE_FILE": str(tmp_path)}
    (tmp_path / ".env.dev").unlink()
    assert "could not be read" in tool.error("list")


@pytest.mark.usefixtures("table")
def test_stage_that_is_not_deployed_is_said(tmp_path: Path) -> None:
    message = KeysTool(tmp_path, {}, "--stage", "prod").error("list")
    assert message == (
        "The table sluice-prod-state in us-east-1 did not answer Scan (ResourceNotFoundException)."
        " Check --stage and --region, and that the stage is deployed."
    )


def test_profile_of_dotenv_counts(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("AWS_PROFILE=nobody\n")
    message = KeysTool(tmp_path, {}, "--stage", "prod").error("list")
    assert message == "Your AWS settings cannot be used (ProfileNotFound). Check AWS_PROFILE."


def test_several_processes_create_one_alias(tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "STATE_FILE": str(tmp_path / "state.sqlite3")}
    command = [sys.executable, "-m", "scripts.keys", "create", "team-a", "--json"]
    processes = [
        subprocess.Popen(
            command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(4)
    ]
    ends = [(*process.communicate(), process.returncode) for process in processes]
    made = [json.loads(out) for out, _, code in ends if code == 0]
    assert len(made) == 1
    assert re.fullmatch(rf"{KEY_PREFIX}\w{{32}}", made[0]["key"])
    assert all(b"alias team-a is taken" in err for _, err, code in ends if code)
