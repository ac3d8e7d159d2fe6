from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.packaging.packaged_service import CHECKOUT, copy_service, run_sls_package

SAFE = {
    "FUNCTION_URL_AUTH": "aws_iam",
    "WEBSOCKET_AUTH": "forward_key",
    "OPENAI_API_KEY_PARAMETER": "/sluice/dev/openai-api-key",
    "FORWARD_KEY_PARAMETER": "/sluice/dev/forward-key",
}
CALL = """
const { refusal } = await import(process.argv[1])
console.log(JSON.stringify(refusal(...JSON.parse(process.argv[2])) ?? null))
"""


def refusal(settings: dict[str, str], shell: dict[str, str] | None = None) -> str | None:
    plugin = str(CHECKOUT / "scripts" / "osls-plugin.mjs")
    arguments = json.dumps([{**SAFE, **settings}, shell or {}])
    command = ["node", "--input-type=module", "--eval", CALL, plugin, arguments]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    sentence: str | None = json.loads(printed)
    return sentence


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
        ({"WEBSOCKET_AUTH": "none"}, "WEBSOCKET_AUTH=none would let anybody spend your key"),
        ({"WEBSOCKET_AUTH": ""}, "WEBSOCKET_AUTH must be forward_key or aws_iam, found ''"),
        ({"WEBSOCKET_AUTH": "iam"}, "WEBSOCKET_AUTH must be forward_key or aws_iam, found 'iam'"),
        ({"FUNCTION_URL_AUTH": "NONE"}, "FUNCTION_URL_AUTH must be aws_iam or none, found 'NONE'"),
        ({"FUNCTION_URL_AUTH": ""}, "FUNCTION_URL_AUTH must be aws_iam or none, found ''"),
        ({"FUNCTION_URL_AUTH": "none"}, "FUNCTION_URL_AUTH=none needs a forward key"),
        (
            {"FORWARD_KEY_PARAMETER": "forward-key"},
            "FORWARD_KEY_PARAMETER must be the name of an SSM parameter that begins with a slash",
        ),
    ],
)
def test_unsafe_settings_are_refused_in_a_sentence_that_names_the_variable(
    settings: dict[str, str], sentence: str
) -> None:
    refused = refusal(settings)
    assert refused is not None
    assert refused.startswith(sentence)
    assert "\n" not in refused


def test_packaging_hears_dotenv_and_stops_before_it_makes_anything(tmp_path: Path) -> None:
    service = tmp_path / "service"
    service.mkdir()
    (copy_service(service) / ".env").write_text("WEBSOCKET_AUTH=none\n")
    finished = run_sls_package(service, {})
    assert finished.returncode == 1
    assert "Error:\nWEBSOCKET_AUTH=none would let anybody spend your key" in finished.stdout
    assert "    at " not in finished.stdout + finished.stderr  # no stack trace
    assert not (service / ".serverless").exists()
    assert not (service / ".build").exists()
