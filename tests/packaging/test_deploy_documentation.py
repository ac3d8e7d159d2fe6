"""docs/deploy.md names what there is, and its figures follow from named assumptions."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from scripts import secret_parameters
from scripts.smoke import settings as smoke_settings
from sluice.cancellation_watch import LookTimes
from tests.packaging.packaged_service import CHECKOUT, Package

pytestmark = pytest.mark.timeout(300)  # see test_template.py

DOCUMENT = (CHECKOUT / "docs" / "deploy.md").read_text(encoding="utf-8")
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
SERVERLESS_YML = (CHECKOUT / "serverless.yml").read_text(encoding="utf-8")
SERVICE = yaml.safe_load(SERVERLESS_YML.replace("!Ref ", ""))
PARAMS = SERVICE["params"]["default"]

SCRIPTS = sorted(
    path
    for pattern in ("scripts/**/*.py", "scripts/**/*.mjs", "layers/**/*.py")
    for path in CHECKOUT.glob(pattern)
)
CODE = "".join(path.read_text(encoding="utf-8") for path in SCRIPTS)
CODE_SPANS = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", DOCUMENT)


# --- Prices of us-east-1 in USD, without the free tier; DOCUMENT says of when each is. ---

MILLION = 1_000_000
GB = 1_000_000_000  # bytes
PRICES = {
    "Lambda, GB-second on arm64": 0.0000133334,
    "Lambda, million requests": 0.20,
    "API Gateway, million WebSocket messages of up to 32 KB": 1.00,
    "API Gateway, million connection minutes": 0.25,
    "DynamoDB, million read request units": 0.125,
    "DynamoDB, million write request units": 0.625,
    "CloudWatch, GB of logs taken in": 0.50,
    "CloudWatch, custom metric and month": 0.30,
    "CloudWatch, metric of an alarm and month": 0.10,
    "CloudWatch, dashboard and month": 3.00,
    "X-Ray, million traces": 5.00,
    "Data transfer to the internet, GB": 0.09,
}

# --- Assumptions, each a row of DOCUMENT. ---

ANSWER_S = 10
TOKENS = 400
FRAMES = 400 + 1  # one a token, and the end
MESSAGES = FRAMES + 1  # with the request
ANSWERS_A_CONNECTION = 5
CONNECTION_MINUTES = 5
SMALL_FUNCTION_S = 0.1  # $connect and $disconnect, each
LOG_BYTES = 1_000  # an invocation
BYTES_OUT = 105_000  # an answer, to the client and to the provider
TRACES_AN_INVOCATION = 1
OUTCOMES = 8  # pairs of transport and outcome that occur in a month
KEYS_A_LOOK = 3  # opened, closed, cancelled
UNITS_A_READ = 0.5  # eventually consistent, up to 4 KB
FREE_GB_SECONDS = 400_000  # of Lambda's, each month
CALLBACKS_A_SECOND = 10_000  # API Gateway's quota for an account and region


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the table of costs: USD for a million answers."""

    name: str
    url: float
    websocket: float


def looks(answer_s: float) -> int:
    """How often an answer of that length asks the table whether it is still wanted."""
    times = LookTimes()
    return 1 + int((answer_s - times.first) / times.next)


def cost_lines() -> list[Line]:
    """What a million answers cost by each transport."""
    invocations = 1 + 2 / ANSWERS_A_CONNECTION  # of a WebSocket answer
    answer = ANSWER_S * PARAMS["streamMemory"] / 1024
    doors = 2 / ANSWERS_A_CONNECTION * SMALL_FUNCTION_S * PARAMS["connectionMemory"] / 1024
    second = PRICES["Lambda, GB-second on arm64"] * MILLION
    reads = looks(ANSWER_S) * KEYS_A_LOOK * UNITS_A_READ
    log = LOG_BYTES * MILLION / GB * PRICES["CloudWatch, GB of logs taken in"]
    trace = TRACES_AN_INVOCATION * PRICES["X-Ray, million traces"]
    transfer = BYTES_OUT * MILLION / GB * PRICES["Data transfer to the internet, GB"]
    request = PRICES["Lambda, million requests"]
    minutes = CONNECTION_MINUTES / ANSWERS_A_CONNECTION
    return [
        Line("Lambda, time", answer * second, (answer + doors) * second),
        Line("Lambda, requests", request, request * invocations),
        Line(
            "API Gateway, messages",
            0,
            MESSAGES * PRICES["API Gateway, million WebSocket messages of up to 32 KB"],
        ),
        Line(
            "API Gateway, connection minutes",
            0,
            minutes * PRICES["API Gateway, million connection minutes"],
        ),
        Line("DynamoDB, reads", 0, reads * PRICES["DynamoDB, million read request units"]),
        Line(
            "DynamoDB, writes",
            0,
            2 / ANSWERS_A_CONNECTION * PRICES["DynamoDB, million write request units"],
        ),
        Line("CloudWatch, logs", log, log * invocations),
        Line("X-Ray", trace, trace * invocations),
        Line("Data transfer", transfer, transfer),
    ]


def total() -> Line:
    lines = cost_lines()
    return Line("together", sum(e.url for e in lines), sum(e.websocket for e in lines))


def observed(name: str) -> list[dict[str, Any]]:
    text = (CHECKOUT / "deployment" / f"{name}.yml").read_text(encoding="utf-8")
    found: list[dict[str, Any]] = yaml.safe_load(text)
    return found


def alarm_metrics() -> int:
    return sum(len(a.get("lambda", {})) + len(a.get("logged", {})) for a in observed("alarms"))


def custom_metrics() -> int:
    return len(observed("metrics")) - 1 + OUTCOMES  # Outcomes is one for each pair


def rows() -> set[tuple[str, ...]]:
    """Every row of every table, its cells without marks of emphasis."""
    lines = re.findall(r"^\|(.+)\|$", DOCUMENT, re.MULTILINE)
    return {tuple(cell.strip().replace("*", "") for cell in line.split("|")) for line in lines}


def usd(amount: float) -> str:
    return f"{amount:,.2f}"


def small_usd(amount: float) -> str:
    return f"{amount:.4f}"


# --- The figures. ---


def test_prices_are_those_that_the_figures_are_computed_from() -> None:
    stated = {row[0]: row[1] for row in rows() if row[0] in PRICES}
    assert stated.keys() == PRICES.keys()
    for name, price in PRICES.items():
        assert float(stated[name]) == price, name


def test_assumptions_are_those_that_the_figures_are_computed_from() -> None:
    stated = {row[0]: row[1] for row in rows() if len(row) == 3}
    assumed = {
        "length of an answer": f"{ANSWER_S} s, {TOKENS} tokens",
        "memory while it lasts": f"{PARAMS['streamMemory']} MB",
        "frames of an answer": f"{FRAMES}",
        "answers on a connection": f"{ANSWERS_A_CONNECTION}, in {CONNECTION_MINUTES} minutes",
        "`$connect`, `$disconnect`": f"{SMALL_FUNCTION_S} s each, {PARAMS['connectionMemory']} MB",
        "looks into the table": f"{looks(ANSWER_S)}, of {KEYS_A_LOOK} items",
        "log": f"{LOG_BYTES:,} bytes an invocation",
        "traces": f"{TRACES_AN_INVOCATION} an invocation",
        "data transfer": f"{BYTES_OUT:,} bytes an answer",
    }
    for name, value in assumed.items():
        assert stated.get(name) == value, name


def test_costs_of_answers_are_computed() -> None:
    for line in [*cost_lines(), total()]:
        million = (usd(line.url), usd(line.websocket))
        thousand = (small_usd(line.url / 1000), small_usd(line.websocket / 1000))
        assert (line.name, thousand[0], thousand[1], *million) in rows(), (line, thousand)


def test_costs_of_a_month_are_computed() -> None:
    alarms = alarm_metrics() * PRICES["CloudWatch, metric of an alarm and month"]
    board = PRICES["CloudWatch, dashboard and month"]
    metrics = custom_metrics() * PRICES["CloudWatch, custom metric and month"]
    for row in (
        (f"{alarm_metrics()} metrics of {len(observed('alarms'))} alarms", usd(alarms)),
        ("the dashboard", usd(board)),
        ("together, while nobody asks", usd(alarms + board)),
        (f"{custom_metrics()} custom metrics, in a month with traffic", usd(metrics)),
    ):
        assert row in {found[:2] for found in rows()}, row


def test_sentences_about_costs_are_computed() -> None:
    free_answers = FREE_GB_SECONDS * 1024 // (ANSWER_S * PARAMS["streamMemory"])
    at_once = CALLBACKS_A_SECOND * ANSWER_S // TOKENS
    messages = next(e.websocket for e in cost_lines() if e.name == "API Gateway, messages")
    prose = " ".join(DOCUMENT.split())
    for sentence in (
        f"{messages / total().websocket:.0%} of a WebSocket answer".replace("%", " %"),
        f"{total().websocket / total().url:.0f} times what the same answer costs",
        f"from {at_once} such answers at once",
        f"{FREE_GB_SECONDS:,} GB-seconds ({free_answers:,} of the answers above)",
    ):
        assert sentence in prose, sentence


# --- The names. ---


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
    assert sizes["shared"] == pytest.approx(float(shared) * MILLION, rel=TOLERANCE)
    assert all(sizes[name] < 1_000 for name in FUNCTIONS)
    assert "each function under 1 KB" in README


def test_readme_leads_to_the_document() -> None:
    deploy = README.partition("## Deploy\n")[2].partition("\n## ")[0]
    for expected in ("(docs/deploy.md)", "npm run secrets", "npx sls deploy", "npm run smoke"):
        assert expected in deploy
