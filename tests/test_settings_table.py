"""The rows of sluice.settings agree with the page, serverless.yml and the local stack."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from local.project.environment import URL_AUTH_MODES, WEBSOCKET_AUTH_MODES
from local.project.ignored_variables import ignored
from local.project.known_variables import NOT_MISSPELLED, OWN, PROTECTING
from scripts.settings_page import PAGE, page_with
from sluice.setting_values import InvalidValue
from sluice.settings import ALL_SETTINGS, DEPLOY, FUNCTIONS, LOCAL

ROOT = Path(__file__).parents[1]
DECLARED = re.compile(r"^ {4}([A-Z][A-Z_]+): (.*?)(?: #.*)?$", re.MULTILINE)
FROM_SHELL = re.compile(r"\$\{env:([A-Z_]+), '(.*)'\}")
TABLES = {"STATE_TABLE", "CACHE_TABLE"}
NO_SETTINGS = {"AWS_LAMBDA_EXEC_WRAPPER", "AWS_XRAY_SDK_ENABLED", "PROMPT_HAIKU", *TABLES}
"""Variables of functions that no user sets: a wrapper, what TRACING says to X-Ray's SDK, an
example, the tables of the stack."""
NAMED_ONCE = {"OPENAI_MODEL"}
"""Their default is in their row alone."""


def declared() -> dict[str, str]:
    """The variables of provider.environment, as serverless.yml declares them."""
    text = (ROOT / "serverless.yml").read_text("utf-8")
    section = text.partition("\n  environment:\n")[2].partition("\ncustom:\n")[0]
    return dict(DECLARED.findall(section))


def test_page_is_made_from_the_rows() -> None:
    page = PAGE.read_text("utf-8")
    assert page == page_with(ALL_SETTINGS, page), "run `npm run docs`"


def test_serverless_yml_passes_exactly_the_settings_of_functions() -> None:
    deployed = {row.name for row in ALL_SETTINGS if row.where == FUNCTIONS}
    roles_read_it = {"BEDROCK_MODELS"}
    assert declared().keys() - NO_SETTINGS == (deployed - NO_SETTINGS) | roles_read_it


def test_serverless_yml_has_the_defaults_of_the_rows() -> None:
    rows = {row.name: row for row in ALL_SETTINGS}
    for name, value in declared().items():
        if name not in NO_SETTINGS:
            found = FROM_SHELL.fullmatch(value)
            assert found, f"{name}: {value}"
            assert found[1] == name
            default = found[2].replace("${sls:stage}", "{stage}")
            of_row = "" if name in NAMED_ONCE else rows[name].default
            assert default == of_row or f"`{default}`" == rows[name].unset, name


def test_options_of_a_deployment_are_read_from_the_shell() -> None:
    text = (ROOT / "serverless.yml").read_text("utf-8")
    for row in ALL_SETTINGS:
        if row.where == DEPLOY:
            assert f"${{env:{row.name}, '{row.default}'}}" in text


def test_local_stack_knows_the_auth_modes_of_the_functions() -> None:
    rows = {row.name: row for row in ALL_SETTINGS}
    known = {"FUNCTION_URL_AUTH": URL_AUTH_MODES, "WEBSOCKET_AUTH": WEBSOCKET_AUTH_MODES}
    for name, modes in known.items():
        assert [rows[name].parse(mode) for mode in modes] == list(modes)
        with pytest.raises(InvalidValue, match=" or ".join(modes)):
            rows[name].parse("another")


def test_local_stack_reads_only_variables_with_a_row() -> None:
    prefixes = "OPENAI|AZURE|FORWARD|FUNCTION_URL|WEBSOCKET|STATE|LOG|API_GW"
    named = re.compile(rf'"((?:{prefixes})_[A-Z_]+)"')
    rows = {row.name for row in ALL_SETTINGS}
    for file in (ROOT / "local").rglob("*.py"):
        if file.name != "known_variables.py":  # other systems' names
            assert set(named.findall(file.read_text("utf-8"))) <= rows, file.name


def test_ignored_variables_are_none_of_the_rows() -> None:
    rows = {row.name for row in ALL_SETTINGS}
    assert rows == OWN, "name it in local/project/known_variables.py, too"
    assert rows > PROTECTING | NOT_MISSPELLED
    assert ignored(dict.fromkeys(rows, "set"), {}, frozenset()) == ()


def test_secrets_are_only_for_the_local_stack() -> None:
    assert all(row.where == LOCAL for row in ALL_SETTINGS if row.is_secret)
