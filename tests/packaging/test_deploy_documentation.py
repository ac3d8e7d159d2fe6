"""docs/deploy.md names what there is, and shows what works."""

from __future__ import annotations

import json
import re
import shlex
import subprocess

import pytest

from scripts import secret_parameters
from scripts.smoke import settings as smoke_settings
from tests.packaging.deploy_document import DOCUMENT, PARAMS, SERVERLESS_YML, SERVICE, rows
from tests.packaging.packaged_service import CHECKOUT, Package

pytestmark = pytest.mark.timeout(300)  # see test_template.py

README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
SCRIPTS = sorted(
    path
    for pattern in ("scripts/**/*.py", "scripts/**/*.mjs", "layers/**/*.py")
    for path in CHECKOUT.glob(pattern)
)
CODE = "".join(path.read_text(encoding="utf-8") for path in SCRIPTS)
CODE_SPANS = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", DOCUMENT)


def shell_lines() -> list[list[str]]:
    """The commands of the sh blocks, as words; continued lines are one."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    text = "".join(blocks).replace("\\\n", " ")
    inline = [span for span in CODE_SPANS if re.match(r"(npm|npx|aws) ", span)]
    lines = [shlex.split(line, comments=True) for line in [*text.splitlines(), *inline]]
    return [line for line in lines if line]


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


def test_npm_scripts_exist() -> None:
    scripts = json.loads((CHECKOUT / "package.json").read_text())["scripts"]
    assert {arguments[0] for arguments in arguments_of("npm", "run")} <= scripts.keys()


def test_sls_commands_exist() -> None:
    schema = "osls/lib/cli/commands-schema/aws-service"
    listed = subprocess.run(
        ["node", "-p", f"JSON.stringify([...require('{schema}').keys()])"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for arguments in arguments_of("npx", "sls"):
        words = [word for word in arguments if not word.startswith("-")]
        assert " ".join(words[:2]) in json.loads(listed) or words[0] in json.loads(listed), words


def test_secrets_and_smoke_take_the_arguments_that_are_shown() -> None:
    for arguments in arguments_of("npm", "run", "secrets"):
        parsed = secret_parameters.command_line().parse_args(arguments)
        if parsed.command != "list":
            secret_parameters.parameter_name(parsed.name, parsed.stage)
    for arguments in arguments_of("npm", "run", "smoke"):
        smoke_settings.parse(arguments)


def test_params_exist() -> None:
    given = re.findall(r"--param (\w+)=", DOCUMENT)
    table = {row[0].strip("`") for row in rows() if re.fullmatch(r"`[a-z]+[A-Z]?\w*`", row[0])}
    assert given
    assert set(given) | table <= PARAMS.keys()
    assert PARAMS.keys() <= set(given) | table | set(CODE_SPANS)


def test_defaults_of_params_are_those_of_the_service() -> None:
    stated = {row[0].strip("`"): row[1].strip("`") for row in rows()}
    for name in ("streamMemory", "connectionMemory", "tracing", "dashboard", "alarms"):
        assert stated[name] == str(PARAMS[name]).replace("True", "true"), name
    of_stages = {**SERVICE["params"], "default": PARAMS}
    days = {stage: params["logRetentionInDays"] for stage, params in of_stages.items()}
    assert stated["logRetentionInDays"] == f"{days['default']}; prod: {days['prod']}"
    assert str(PARAMS["reservedConcurrency"]).endswith(f"'{stated['reservedConcurrency']}'}}")


def test_variables_exist() -> None:
    words = {word for span in CODE_SPANS for word in re.findall(r"\b[A-Z]+_[A-Z_]+\b", span)}
    shown = set(re.findall(r"\b([A-Z]+(?:_[A-Z]+)+)=", DOCUMENT))
    used = {name for name in words | shown if not name.startswith("AWS_")}
    assert used
    assert {name for name in used if name not in SERVERLESS_YML + CODE} == set()


def test_names_of_parameters_and_functions_exist() -> None:
    named = set(re.findall(r"/sluice/\w+/([\w-]+)", DOCUMENT))
    assert named
    assert named <= set(secret_parameters.NAMES)
    assert set(re.findall(r"sluice-\w+-(\w+)`", DOCUMENT)) <= {*SERVICE["functions"], "state"}


def test_files_and_links_exist() -> None:
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", DOCUMENT):
        assert (CHECKOUT / "docs" / target).exists(), target
    for span in CODE_SPANS:
        if re.fullmatch(r"[\w./-]+\.(yml|mjs|py|json|md)", span):
            assert (CHECKOUT / span).exists(), span
    headings = {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", DOCUMENT, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", DOCUMENT)) <= headings


# What AWS asks of callers, for which no code of this repository names the action.
CALLERS = {
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-control-access-iam.html
    "execute-api:Invoke",
}


def test_iam_actions_exist(by_default: Package) -> None:
    named = {span for span in CODE_SPANS if re.fullmatch(r"[a-z0-9-]+:[A-Z]\w+", span)}
    assert "lambda:InvokeFunctionUrl" in named
    template = json.dumps(by_default.template)
    clients = (CHECKOUT / "docs" / "clients.md").read_text(encoding="utf-8")
    for action in named - CALLERS:
        call = re.sub(r"(?<!^)(?=[A-Z])", "_", action.partition(":")[2]).lower()
        assert action in template + CODE + clients or f'"{call}"' in CODE, action


def test_options_of_a_script_stand_where_npm_passes_them_on() -> None:
    """`npm run smoke --stage=prod` checks dev: npm takes the option for one of its own."""
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    for text in (DOCUMENT, readme):
        calls = re.findall(r"npm run (?:smoke|secrets)\b[^`#\n]*", text)
        assert "npm run smoke -- --stage prod" in calls
        assert [call for call in calls if "--" in call and " -- " not in call] == []


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


# --- README.md. ---

FUNCTIONS = ("connect", "disconnect", "default", "stream")
TOLERANCE = 0.2  # layers grow by a module now and then


def test_sizes_in_the_readme_are_those_that_are_packaged(by_default: Package) -> None:
    stated = re.search(
        r"runtime\s+layer (\d+) KB, the shared layer ([\d.]+) MB;\s+with bytecode"
        r" (\d+) KB and ([\d.]+) MB",
        README,
    )
    assert stated is not None
    compiled = any(name.endswith(".pyc") for name in by_default.names_in("runtime"))
    runtime, shared = stated.groups()[2:] if compiled else stated.groups()[:2]
    sizes = {
        name: (by_default.folder / f"{name}.zip").stat().st_size
        for name in ("runtime", "shared", *FUNCTIONS)
    }
    assert sizes["runtime"] == pytest.approx(float(runtime) * 1_000, rel=TOLERANCE)
    assert sizes["shared"] == pytest.approx(float(shared) * 1_000_000, rel=TOLERANCE)
    assert all(sizes[name] < 1_000 for name in FUNCTIONS)
    assert "each function under 1 KB" in README


def test_readme_leads_to_the_document() -> None:
    deploy = README.partition("## Deploy\n")[2].partition("\n## ")[0]
    for expected in ("(docs/deploy.md)", "npm run secrets", "npx sls deploy", "npm run smoke"):
        assert expected in deploy
