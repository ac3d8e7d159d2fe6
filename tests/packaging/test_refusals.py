"""Settings that are not deployed, and what must be set for those that are."""

from __future__ import annotations

import re
from pathlib import Path

from tests.packaging.packaged_service import Package, copy_service
from tests.packaging.plugin_answers import answer, answers

Settings = dict[str, str]

SAFE = {
    "FUNCTION_URL_AUTH": "aws_iam",
    "WEBSOCKET_AUTH": "forward_key",
    "OPENAI_API_KEY_PARAMETER": "/sluice/dev/openai-api-key",
    "FORWARD_KEY_PARAMETER": "/sluice/dev/forward-key",
}
OPEN = {"FUNCTION_URL_AUTH": "none"}
NO_KEY = "FUNCTION_URL_AUTH=none requires a forward key"
BEDROCK = {
    "EXTRA_BASE_URL": "https://a.example/v1,"
    "https://bedrock-runtime.us-west-2.amazonaws.com/openai/v1"
}

# Settings, the shell's variables, and how the refusal begins; empty for what is deployed.
REFUSALS: tuple[tuple[Settings, Settings, str], ...] = (
    ({}, {}, ""),
    ({"WEBSOCKET_AUTH": "aws_iam"}, {}, ""),
    ({"WEBSOCKET_AUTH": "none"}, {}, "WEBSOCKET_AUTH=none would let anyone spend your key."),
    ({"WEBSOCKET_AUTH": ""}, {}, "WEBSOCKET_AUTH must be forward_key or aws_iam (it is empty)."),
    ({"FUNCTION_URL_AUTH": ""}, {}, "FUNCTION_URL_AUTH must be aws_iam or none (it is empty)."),
    ({"FORWARD_KEY_PARAMETER": ""}, {}, "FORWARD_KEY_PARAMETER must be the name of an SSM"),
    (OPEN, {"FORWARD_KEY": "k"}, ""),
    (OPEN, {"FORWARD_KEY_PARAMETER": "/k"}, ""),
    (OPEN, {}, NO_KEY),
    (OPEN, {"FORWARD_KEY": ""}, NO_KEY),
    (OPEN, {"FORWARD_KEY": " , "}, NO_KEY),
    ({**OPEN, "FORWARD_KEY_PARAMETER": ""}, {"FORWARD_KEY_PARAMETER": ""}, NO_KEY),
    (
        {**OPEN, "FORWARD_KEY_PARAMETER": ""},
        {"FORWARD_KEY": "k", "FORWARD_KEY_PARAMETER": ""},
        NO_KEY,
    ),
)

# Settings, the shell's variables, and what is printed of each thing that they need.
REQUIREMENTS: tuple[tuple[Settings, Settings, list[str]], ...] = (
    ({}, {}, []),
    (
        {"OPENAI_BASE_URL": "http://plain.example/v1", "AZURE_OPENAI_ENDPOINT": "http://[::1]:8"}
        | {"EXTRA_BASE_URL": "https://a.example, HTTP://localhost.example"},
        {},
        ["OPENAI_BASE_URL is http://: the key and", "EXTRA_BASE_URL is http://: the key and"],
    ),
    (
        {"OPENAI_BASE_URL": "http://127.0.0.1:8/v1", "EXTRA_BASE_URL": "http://localhost"},
        {},
        [],
    ),
    (OPEN, {}, ["SSM SecureString /sluice/dev/forward-key, which must exist"]),
    ({"UPSTREAM_AUTH": "aws_sigv4"}, {}, ["for Amazon Bedrock, set BEDROCK_MODELS"]),
    ({"UPSTREAM_AUTH": "aws_sigv4", "BEDROCK_MODELS": "m"}, {}, []),
    (BEDROCK, {}, ["EXTRA_BASE_URL names Amazon Bedrock without a key: set BEDROCK_"]),
    ({**BEDROCK, "EXTRA_API_KEY_PARAMETER": "/a,-"}, {}, ["Amazon Bedrock without a key"]),
    ({**BEDROCK, "EXTRA_API_KEY_PARAMETER": "-,/bedrock-key"}, {}, []),
    ({**BEDROCK, "BEDROCK_MODELS": "m"}, {}, []),
    (
        {"AZURE_OPENAI_TOKEN_PARAMETER": "/token"},
        {"EXTRA_API_KEY": "secret", "AZURE_OPENAI_TOKEN": "secret", "OPENAI_API_KEY": "secret"},
        ["EXTRA_API_KEY itself is never deployed. Store it with `npm run secrets -- set NAME`"],
    ),
)


def test_unsafe_settings_are_refused_in_a_sentence_that_names_the_variable() -> None:
    calls = [({**SAFE, **settings}, shell) for settings, shell, _ in REFUSALS]
    for (settings, shell, begins), refused in zip(REFUSALS, answers("refusal", calls), strict=True):
        assert bool(refused) == bool(begins), (settings, shell)
        assert (refused or "").startswith(begins), (settings, shell)
        assert "\n" not in (refused or "")
        if begins == NO_KEY:
            assert "set FORWARD_KEY_PARAMETER=/sluice/" in refused


def test_what_settings_need_is_pointed_out() -> None:
    calls = [({**SAFE, **settings}, shell) for settings, shell, _ in REQUIREMENTS]
    found = answers("requirements", calls)
    for (settings, shell, needed), sentences in zip(REQUIREMENTS, found, strict=True):
        assert len(sentences) == len(needed), (settings, shell)
        for part, sentence in zip(needed, sentences, strict=True):
            assert part in sentence
            assert not re.search(r"\n|secret\b", sentence)


def test_places_are_reserved_for_answers_and_for_clients_that_connect() -> None:
    none, few, many = answers("reserved", [["none"], ["5"], ["200"]])
    assert none == {}
    assert few == {"connect": 5, "default": 5, "stream": 5}
    assert many == {"connect": 40, "default": 200, "stream": 200}


def test_options_are_switches() -> None:
    options = (
        ({"dashboard": True, "alarms": "false"}, None),
        (
            {"dashboard": "yes", "alarms": True},
            "param dashboard must be true or false (got 'yes').",
        ),
        ({"dashboard": False, "alarms": ""}, "param alarms must be true or false (got '')."),
        ({"budgetAlarm": 5}, "param budgetAlarm must be true or false (got '5')."),
        ({"tracing": "Active"}, "param tracing must be true or false (got 'Active')."),
    )
    valid = {"dashboard": True, "alarms": True, "budgetAlarm": False, "tracing": False}
    found = answers("refusedOption", [({**valid, **given},) for given, _ in options])
    assert found == [sentence for _, sentence in options]


def test_stage_too_long_for_the_name_of_a_role_is_refused() -> None:
    names = ["connect", "disconnect", "control", "default", "stream"]
    place = {"project": "sluice", "region": "ap-southeast-1"}
    calls = [(names, {**place, "stage": "s" * length}) for length in (31, 32, 40)]
    fits, one, nine = answers("refusedRoleNames", calls, of="roles.mjs")
    assert fits is None
    assert one.startswith(f"The stage '{'s' * 32}' must be 1 characters shorter")
    assert nine.startswith(f"The stage '{'s' * 40}' must be 9 characters shorter")


def test_way_in_is_not_changed_for_one_function_alone() -> None:
    assert answer("refusedWaysIn", SAFE, SAFE) is None
    for variable in ("FUNCTION_URL_AUTH", "WEBSOCKET_AUTH"):
        refused = answer("refusedWaysIn", SAFE, {**SAFE, variable: "what it was"})
        assert refused.startswith(f"{variable} is deployed as what it was, and would become")


def test_misspelt_permission_is_refused() -> None:
    given = {"connect": ["writeState", "everything"]}
    refused = answer("refusedPermissions", given, of="roles.mjs")
    assert refused.startswith("custom.permissions must list admitToWebsocket, ")
    assert refused.endswith("(got everything).")
    assert answer("refusedPermissions", {"connect": ["writeState"]}, of="roles.mjs") is None


def test_lists_between_commas_and_as_json_are_the_same() -> None:
    cases = {"a, b,": ["a", "b"], '["a", " b", ""]': ["a", "b"], "": [], "[": []}
    assert answers("list", [(text,) for text in cases]) == list(cases.values())


def test_packaging_an_open_url_warns_once(by_default: Package, customized: Package) -> None:
    warning = "SecureString /sluice/dev/forward-key, which must exist"
    assert customized.printed.count(warning) == 1
    assert warning not in by_default.printed


def test_packaging_reads_dotenv_and_stops_before_it_makes_anything(tmp_path: Path) -> None:
    service = copy_service(tmp_path / "service")
    (service.folder / ".env").write_text("WEBSOCKET_AUTH=none\n")
    assert "Error:\nWEBSOCKET_AUTH=none would let anyone spend your key" in service.refused(
        "package"
    )
    # The check of scripts/deployed_settings.py, whose tests have the other sentences.
    wrong = {"WEBSOCKET_AUTH": "aws_iam", "OPENAI_APIKEY": "k", "FORWARD_KEY": "my-key"}
    printed = service.refused("package", **wrong)
    assert "OPENAI_APIKEY: Use OPENAI_API_KEY." in printed
    assert "FORWARD_KEY must hold keys of at least 16 characters." in printed
    assert "openssl rand -hex 24" in printed
    assert not (service.folder / ".serverless").exists()
    assert not (service.folder / ".build").exists()
