"""The pages about deployments name what there is, and show what works."""

from __future__ import annotations

import json
import re
import shlex
import subprocess

import yaml

from scripts import secret_parameters
from scripts.smoke import settings as smoke_settings
from tests.packaging.packaged_service import CHECKOUT, Package

DOCUMENT, OTHERS = (
    "\n".join((CHECKOUT / "docs" / f"{page}.md").read_text(encoding="utf-8") for page in pages)
    for pages in (("deploy", "costs", "network"), ("operate", "quickstart", "troubleshooting"))
)
"""The pages about deployments, and others that show their commands."""
CLIENTS = (CHECKOUT / "docs" / "clients.md").read_text(encoding="utf-8")
SERVERLESS_YML = (CHECKOUT / "serverless.yml").read_text(encoding="utf-8")
SERVICE = yaml.safe_load(SERVERLESS_YML.replace("!Ref ", ""))
PARAMS = SERVICE["params"]["default"]
CODE = "".join(
    path.read_text(encoding="utf-8")
    for pattern in ("scripts/**/*.py", "scripts/**/*.mjs", "layers/**/*.py")
    for path in sorted(CHECKOUT.glob(pattern))
)
CODE_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
CODE_SPANS = CODE_SPAN.findall(DOCUMENT)


def rows() -> set[tuple[str, ...]]:
    """Every row of every table."""
    lines = re.findall(r"^\|(.+)\|$", DOCUMENT, re.MULTILINE)
    return {tuple(cell.strip() for cell in line.split("|")) for line in lines}


def shell_lines() -> list[list[str]]:
    """The commands of npm and npx in sh blocks and sentences, as words; continued lines are one."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", DOCUMENT + OTHERS, re.MULTILINE | re.DOTALL)
    text = "".join(blocks).replace("\\\n", " ")
    lines = [*text.splitlines(), *CODE_SPAN.findall(DOCUMENT + OTHERS)]
    return [
        shlex.split(line, comments=True)
        for line in lines
        if re.search(r"\b(npm run (secrets|smoke)|npx sls)\b", line)
    ]


def arguments_of(*command: str) -> list[list[str]]:
    """What stands behind a command in the lines that hold it, such as npm run secrets."""
    size = len(command)
    found = [
        [word for word in line[start + size :] if word != "--"]
        for line in shell_lines()
        for start in range(len(line))
        if tuple(line[start : start + size]) == command
    ]
    assert found, command
    return [arguments for arguments in found if arguments]  # none: it is named, not shown


def test_sls_commands_and_their_options_exist() -> None:
    schema = "require('osls/lib/cli/commands-schema/aws-service')"
    options = "[...{}].map(([name, {{ options }}]) => [name, Object.keys(options ?? {{}})])"
    listed = subprocess.run(
        ["node", "-p", f"JSON.stringify({options.format(schema)})"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    known = dict(json.loads(listed))
    for arguments in arguments_of("npx", "sls"):
        words = [word for word in arguments if not word.startswith("-")]
        command = " ".join(words[:2]) if " ".join(words[:2]) in known else words[0]
        taken = {word[2:].partition("=")[0] for word in arguments if word.startswith("--")}
        assert taken <= {*known[command]}, arguments


def test_secrets_and_smoke_take_the_arguments_that_are_shown() -> None:
    for arguments in arguments_of("npm", "run", "secrets"):
        parsed = secret_parameters.command_line().parse_args(arguments)
        if parsed.command != "list":
            secret_parameters.parameter_name(parsed.name, parsed.stage)
    for arguments in arguments_of("npm", "run", "smoke"):
        smoke_settings.parse(arguments, {})


def test_params_exist() -> None:
    given = re.findall(r"--param (\w+)=", DOCUMENT)
    table = {row[0].strip("`") for row in rows() if re.fullmatch(r"`[a-z]+[A-Z]?\w*`", row[0])}
    assert given
    assert set(given) | table <= PARAMS.keys()
    assert PARAMS.keys() <= set(given) | table | set(CODE_SPANS)


def test_defaults_of_params_are_those_of_the_service() -> None:
    stated = {row[0].strip("`"): row[1].strip("`") for row in rows()}
    for name in ("streamMemory", "connectionMemory", "dashboard", "alarms"):
        assert stated[name] == str(PARAMS[name]).replace("True", "true"), name
    of_stages = {**SERVICE["params"], "default": PARAMS}
    days = {stage: params["logRetentionInDays"] for stage, params in of_stages.items()}
    assert stated["logRetentionInDays"] == f"{days['default']}; prod: {days['prod']}"
    for name in ("tracing", "reservedConcurrency", "websocketRate", "websocketBurst"):
        assert str(PARAMS[name]).endswith(f"'{stated[name]}'}}"), name


def test_variables_exist() -> None:
    words = {word for span in CODE_SPANS for word in re.findall(r"\b[A-Z]+_[A-Z_]+\b", span)}
    shown = set(re.findall(r"\b([A-Z]+(?:_[A-Z]+)+)=", DOCUMENT))
    used = {name for name in words | shown if not name.startswith("AWS_")}
    assert used
    assert {name for name in used if name not in SERVERLESS_YML + CODE} == set()


def test_names_of_parameters_and_functions_exist() -> None:
    named = set(re.findall(r"[`=]/sluice/\w+/([\w-]+)`", DOCUMENT))
    assert named
    assert named <= set(secret_parameters.NAMES)
    assert set(re.findall(r"sluice-\w+-(\w+)`", DOCUMENT)) <= {*SERVICE["functions"], "state"}


def test_files_exist() -> None:
    for span in CODE_SPANS:
        if re.fullmatch(r"[\w./-]+\.(yml|mjs|py|json|md)", span):
            assert (CHECKOUT / span).exists(), span


# What AWS asks of callers, for which no code of this repository names the action.
CALLERS = {
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-control-access-iam.html
    "execute-api:Invoke",
}


def test_iam_actions_exist(by_default: Package) -> None:
    named = {span for span in CODE_SPANS if re.fullmatch(r"[a-z0-9-]+:[A-Z]\w+", span)}
    assert "lambda:InvokeFunctionUrl" in named
    template = json.dumps(by_default.template)
    for action in named - CALLERS:
        call = re.sub(r"(?<!^)(?=[A-Z])", "_", action.partition(":")[2]).lower()
        is_called = f'"{call}"' in CODE or f".{call}(" in CODE
        assert is_called or action in template + CODE + CLIENTS, action


def test_callers_policy_leads_through_the_url_alone() -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"""
    (text,) = re.findall(r"```json\n(.+?)```", DOCUMENT, re.DOTALL)
    url, function = json.loads(text)["Statement"]
    assert (url["Action"], function["Action"]) == (
        "lambda:InvokeFunctionUrl",
        "lambda:InvokeFunction",
    )
    assert function["Condition"] == {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}


SERVICES = {
    "AWS::ApiGatewayV2": "API Gateway",
    "AWS::CloudWatch": "CloudWatch",
    "AWS::DynamoDB": "DynamoDB",
    "AWS::IAM": "IAM",
    "AWS::Lambda": "Lambda",
    "AWS::Logs": "CloudWatch Logs",
    "AWS::S3": "S3",
}


def test_services_that_a_deployment_needs_are_those_of_the_template(by_default: Package) -> None:
    kinds = {resource["Type"] for resource in by_default.template["Resources"].values()}
    used = {SERVICES[kind.rpartition("::")[0]] for kind in kinds}
    named = {row[0] for row in rows() if row[0] in SERVICES.values()}
    assert named == used
