from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.packaging.packaged_service import CHECKOUT, Package, copy_service, run_sls_package

SAFE = {
    "FUNCTION_URL_AUTH": "aws_iam",
    "WEBSOCKET_AUTH": "forward_key",
    "OPENAI_API_KEY_PARAMETER": "/sluice/dev/openai-api-key",
    "FORWARD_KEY_PARAMETER": "/sluice/dev/forward-key",
}
CALL = """
const { [process.argv[2]]: ask } = await import(process.argv[1])
console.log(JSON.stringify(ask(...JSON.parse(process.argv[3])) ?? null))
"""


def ask(function: str, *arguments: object, of: str = "settings.mjs") -> Any:
    """Return what a function of the plugin answers: sentences, or nothing."""
    module = str(CHECKOUT / "scripts" / "osls" / of)
    call = [CALL, module, function, json.dumps(arguments)]
    command = ["node", "--input-type=module", "--eval", *call]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return json.loads(printed)


def refusal(settings: dict[str, str], shell: dict[str, str] | None = None) -> str | None:
    sentence: str | None = ask("refusal", {**SAFE, **settings}, shell or {})
    return sentence


def requirements(settings: dict[str, str], shell: dict[str, str] | None = None) -> list[str]:
    sentences: list[str] = ask("requirements", {**SAFE, **settings}, shell or {})
    return sentences


@pytest.mark.parametrize(
    ("settings", "shell"),
    [
        pytest.param({}, {}, id="defaults"),
        pytest.param({"WEBSOCKET_AUTH": "aws_iam"}, {}, id="websocket by IAM"),
        pytest.param({"FUNCTION_URL_AUTH": "none"}, {"FORWARD_KEY": "k"}, id="forward key"),
        pytest.param(
            {"FUNCTION_URL_AUTH": "none"}, {"FORWARD_KEY_PARAMETER": "/k"}, id="key's parameter"
        ),
    ],
)
def test_safe_settings_are_deployed(settings: dict[str, str], shell: dict[str, str]) -> None:
    assert refusal(settings, shell) is None


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"WEBSOCKET_AUTH": "none"}, "WEBSOCKET_AUTH=none would let anyone spend your key."),
        ({"WEBSOCKET_AUTH": ""}, "WEBSOCKET_AUTH must be forward_key or aws_iam (it is empty)."),
        ({"FUNCTION_URL_AUTH": ""}, "FUNCTION_URL_AUTH must be aws_iam or none (it is empty)."),
        ({"FUNCTION_URL_AUTH": "none"}, "FUNCTION_URL_AUTH=none requires a forward key"),
        ({"FORWARD_KEY_PARAMETER": ""}, "FORWARD_KEY_PARAMETER must be the name of an SSM"),
    ],
)
def test_unsafe_settings_are_refused_in_a_sentence_that_names_the_variable(
    settings: dict[str, str], sentence: str
) -> None:
    refused = refusal(settings)
    assert refused is not None
    assert refused.startswith(sentence)
    assert "\n" not in refused


@pytest.mark.parametrize(
    ("shell", "parameter"),
    [
        pytest.param({}, "/k", id="nothing set"),
        pytest.param({"FORWARD_KEY": ""}, "/k", id="empty key"),
        pytest.param({"FORWARD_KEY": " , "}, "/k", id="list without a key"),
        pytest.param({"FORWARD_KEY_PARAMETER": ""}, "", id="empty name"),
        pytest.param({"FORWARD_KEY": "k", "FORWARD_KEY_PARAMETER": ""}, "", id="key without name"),
    ],
)
def test_open_url_without_a_key_that_is_deployed_is_refused(
    shell: dict[str, str], parameter: str
) -> None:
    settings = {"FUNCTION_URL_AUTH": "none", "FORWARD_KEY_PARAMETER": parameter}
    refused = refusal(settings, shell)
    assert refused is not None
    assert refused.startswith("FUNCTION_URL_AUTH=none requires a forward key")
    assert "Set FORWARD_KEY_PARAMETER to the name of an SSM SecureString" in refused


def test_open_url_says_which_parameter_must_exist() -> None:
    (needed,) = requirements({"FUNCTION_URL_AUTH": "none"})
    assert "SSM SecureString /sluice/dev/forward-key, which must exist" in needed
    assert "\n" not in needed
    assert requirements({}) == []


def test_keys_that_only_the_shell_has_are_told_to_stay_there() -> None:
    shell = {"EXTRA_API_KEY": "secret", "AZURE_OPENAI_TOKEN": "secret", "OPENAI_API_KEY": "secret"}
    sentences = requirements({"AZURE_OPENAI_TOKEN_PARAMETER": "/token"}, shell)
    assert sentences == [
        "EXTRA_API_KEY itself is never deployed. Store it with `npm run secrets -- set NAME`, and"
        " set EXTRA_API_KEY_PARAMETER to its name."
    ]


def test_signed_requests_without_a_model_that_may_be_asked_are_pointed_out() -> None:
    (needed,) = requirements({"UPSTREAM_AUTH": "aws_sigv4"})
    assert needed.startswith("UPSTREAM_AUTH=aws_sigv4: for Amazon Bedrock, set BEDROCK_MODELS")
    assert requirements({"UPSTREAM_AUTH": "aws_sigv4", "BEDROCK_MODELS": "m"}) == []


def test_further_api_of_bedrock_without_a_model_that_may_be_asked_is_pointed_out() -> None:
    bedrock = "https://a.example/v1,https://bedrock-runtime.us-west-2.amazonaws.com/openai/v1"
    (needed,) = requirements({"EXTRA_BASE_URL": bedrock, "EXTRA_API_KEY_PARAMETER": "/a,-"})
    assert needed.startswith("EXTRA_BASE_URL names Amazon Bedrock without a key: set BEDROCK_")
    assert requirements({"EXTRA_BASE_URL": bedrock}) == [needed]
    for settled in ({"BEDROCK_MODELS": "m"}, {"EXTRA_API_KEY_PARAMETER": "-,/bedrock-key"}):
        assert requirements({"EXTRA_BASE_URL": bedrock, **settled}) == []


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"dashboard": True, "alarms": "false"}, None),
        (
            {"dashboard": "yes", "alarms": True},
            "param dashboard must be true or false (got 'yes').",
        ),
        ({"dashboard": False, "alarms": ""}, "param alarms must be true or false (got '')."),
    ],
)
def test_options_are_switches(options: dict[str, object], sentence: str | None) -> None:
    assert ask("refusedOption", options) == sentence


@pytest.mark.parametrize(("length", "too_long"), [(31, 0), (32, 1), (40, 9)])
def test_stage_too_long_for_the_name_of_a_role_is_refused(length: int, too_long: int) -> None:
    names, stage = ["connect", "disconnect", "default", "stream"], "s" * length
    place = {"project": "sluice", "stage": stage, "region": "ap-southeast-1"}
    refused = ask("refusedRoleNames", names, place, of="roles.mjs")
    if not too_long:
        assert refused is None
    else:
        assert refused.startswith(f"The stage '{stage}' must be {too_long} characters shorter")


@pytest.mark.parametrize("variable", ["FUNCTION_URL_AUTH", "WEBSOCKET_AUTH"])
def test_way_in_is_not_changed_for_one_function_alone(variable: str) -> None:
    deployed = {**SAFE, variable: "what it was"}
    refused = ask("refusedWaysIn", SAFE, deployed)
    assert refused.startswith(f"{variable} is deployed as what it was, and would become")
    assert ask("refusedWaysIn", SAFE, SAFE) is None


def test_misspelt_permission_is_refused() -> None:
    refused = ask("refusedPermissions", {"connect": ["writeState", "everything"]}, of="roles.mjs")
    assert refused.startswith("custom.permissions must list admitToWebsocket, ")
    assert refused.endswith("(got everything).")
    assert ask("refusedPermissions", {"connect": ["writeState"]}, of="roles.mjs") is None


def test_packaging_an_open_url_warns_once(by_default: Package, customized: Package) -> None:
    warning = "SecureString /sluice/dev/forward-key, which must exist"
    assert customized.said.count(warning) == 1
    assert warning not in by_default.said


def test_setting_that_the_functions_refuse_is_not_packaged(tmp_path: Path) -> None:
    service = tmp_path / "service"
    service.mkdir()
    finished = run_sls_package(copy_service(service), {"UPSTREAM_RETRIES": "many"})
    assert finished.returncode == 1
    assert "UPSTREAM_RETRIES must be a whole number from 0 to 10 (got 'many')." in finished.stdout
    assert "    at " not in finished.stdout + finished.stderr  # no stack trace
    assert not (service / ".serverless").exists()


def test_packaging_hears_dotenv_and_stops_before_it_makes_anything(tmp_path: Path) -> None:
    service = tmp_path / "service"
    service.mkdir()
    (copy_service(service) / ".env").write_text("WEBSOCKET_AUTH=none\n")
    finished = run_sls_package(service, {})
    assert finished.returncode == 1
    assert "Error:\nWEBSOCKET_AUTH=none would let anyone spend your key" in finished.stdout
    assert "    at " not in finished.stdout + finished.stderr  # no stack trace
    assert not (service / ".serverless").exists()
    assert not (service / ".build").exists()
