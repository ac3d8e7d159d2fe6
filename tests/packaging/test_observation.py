"""Metrics, alarms and the dashboard in the template, and the log lines that they stand on."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from sluice import errors
from sluice.access import errors as refusals
from sluice.errors import SluiceError
from tests.packaging.conftest import TOPIC
from tests.packaging.packaged_service import CHECKOUT, Package

METRIC_FILTER = "AWS::Logs::MetricFilter"
ALARM = "AWS::CloudWatch::Alarm"
DASHBOARD = "AWS::CloudWatch::Dashboard"

FREE_ALARM_METRICS = 10  # https://aws.amazon.com/cloudwatch/pricing/
LONGEST_PATTERN = 1024  # characters, in AWS's API reference of PutMetricFilter
# The client's faults, and nobody's.
NOT_FAILURES = {
    "ok",
    "invalid_request",
    "invalid_json",
    "invalid_field",
    "prompt_template_not_allowed",
    "prompt_template_not_found",
    "unsupported_media_type",
    "body_too_large",
    "origin_not_allowed",
    "unknown_path",
    "method_not_allowed",
    "invalid_api_key",
    "address_not_allowed",
    refusals.RateLimited.code,
    refusals.BudgetSpent.code,
    refusals.ModelNotAllowed.code,
    refusals.ModelWithoutPrice.code,
    "no_match",
    "not_cached",
    "cancelled",
    "connection_gone",
}


def filters(package: Package) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Return the properties of each metric filter by log group, metric and value."""
    found = {}
    for properties in package.of_type(METRIC_FILTER).values():
        (made,) = properties["MetricTransformations"]
        group = properties["LogGroupName"]["Ref"].removesuffix("LogGroup").lower()
        found[group, made["MetricName"], made["MetricValue"]] = properties
    return found


def patterns(package: Package, metric: str) -> set[str]:
    return {f["FilterPattern"] for (_, name, _), f in filters(package).items() if name == metric}


def outcomes(kind: type[SluiceError] = SluiceError) -> set[str]:
    """Return the codes of all errors."""
    return {kind.code}.union(*(outcomes(each) for each in kind.__subclasses__()))


def test_metrics_are_those_of_the_answers(by_default: Package) -> None:
    tokens = [
        (log, name, f"$.usage.{field}_tokens")
        for log in ("default", "stream")
        for name, fields in (
            ("PromptTokens", ("prompt", "input")),
            ("CompletionTokens", ("completion", "output")),
        )
        for field in fields
    ]
    counts = {
        "Requests": ("control", "default", "stream"),
        "FailedRequests": ("control", "default", "stream"),
        "ConnectionsGone": ("default",),
        "BudgetRefusals": ("default", "stream"),
        "CacheHits": ("default", "stream"),
        "CacheMisses": ("default", "stream"),
        "Uncounted": ("connect", "default", "stream"),
        "Outcomes": ("connect", "control", "default", "stream"),
    }
    assert set(filters(by_default)) == {
        ("stream", "TimeToFirstByte", "$.first_byte_ms"),
        ("default", "TimeToFirstFrame", "$.first_frame_ms"),
        *tokens,
        *((log, "Spend", "$.micro_usd") for log in ("default", "stream")),
        *((log, "SavedTokens", "$.saved_tokens") for log in ("default", "stream")),
        *((log, "SavedSpend", "$.saved_micro_usd") for log in ("default", "stream")),
        *((log, name, "1") for name, logs in counts.items() for log in logs),
    }


def test_patterns_are_short_enough_and_hold_what_they_measure(by_default: Package) -> None:
    for (_, _, value), properties in filters(by_default).items():
        pattern = properties["FilterPattern"]
        assert re.fullmatch(r"\{ \S.*\S \}", pattern)
        assert len(pattern) <= LONGEST_PATTERN
        (made,) = properties["MetricTransformations"]
        assert made["MetricNamespace"] == "sluice-dev"
        taken = [d["Value"] for d in made.get("Dimensions", [])] + [value]
        assert [field for field in taken if field != "1" and f"{field} = *" not in pattern] == []
    (made,) = filters(by_default)["stream", "Outcomes", "1"]["MetricTransformations"]
    dimensions = [(dimension["Key"], dimension["Value"]) for dimension in made["Dimensions"]]
    assert dimensions == [("transport", "$.transport"), ("outcome", "$.outcome")]


def test_every_error_counts_as_a_failure_unless_it_is_listed(by_default: Package) -> None:
    (pattern,) = patterns(by_default, "FailedRequests")
    named = re.findall(r'"([^"]+)"', pattern)
    failures = {
        code
        for code in outcomes()
        if any(re.fullmatch(name.replace("*", ".*"), code) for name in named)
    }
    assert failures == outcomes() - NOT_FAILURES
    assert errors.ConnectionGone.code in NOT_FAILURES


def test_fields_are_those_that_the_log_lines_have() -> None:
    package = CHECKOUT / "layers" / "shared" / "python" / "sluice"
    sources = "".join(path.read_text() for path in package.rglob("*.py"))
    metrics = (CHECKOUT / "deployment" / "metrics.yml").read_text()
    named = set(re.findall(r"\$\.(\w+)", metrics)) | {"first_byte_ms", "first_frame_ms", "usage"}
    for field in named:
        assert re.search(rf'"{field}"|\b{field}=', sources), field


def test_alarms_watch_errors_throttles_and_failures(by_default: Package) -> None:
    alarms = by_default.of_type(ALARM)
    names = ["ConnectErrors", "DefaultErrors", "FailedRequests", "StreamErrors", "Throttles"]
    assert sorted(alarms) == [f"{name}Alarm" for name in names]
    for name, alarm in alarms.items():
        assert alarm["AlarmName"] == f"sluice-dev-{name.removesuffix('Alarm')}"
        result, *figures = alarm["Metrics"]
        assert "ReturnData" not in result
        used = set(re.findall(r"[a-z]\w*", result["Expression"]))
        assert used == {figure["Id"] for figure in figures}
        assert "AlarmActions" not in alarm


def test_alarms_measure_what_exists_and_cost_nothing_in_an_account_without_others(
    by_default: Package,
) -> None:
    logged = {name for _, name, _ in filters(by_default)}
    figures = [f for alarm in by_default.of_type(ALARM).values() for f in alarm["Metrics"][1:]]
    assert len(figures) <= FREE_ALARM_METRICS
    for figure in figures:
        metric = figure["MetricStat"]["Metric"]
        if metric["Namespace"] == "AWS/Lambda":
            (dimension,) = metric["Dimensions"]
            assert dimension["Value"]["Ref"] in by_default.template["Resources"]
        else:
            assert (metric["Namespace"], metric["MetricName"] in logged) == ("sluice-dev", True)


def test_alarms_on_budgets_and_spend_can_be_set(customized: Package) -> None:
    alarms = customized.of_type(ALARM)
    assert alarms["BudgetRefusalsAlarm"]["Threshold"] == 0
    spend = alarms["SpendAlarm"]
    assert (spend["Threshold"], spend["EvaluationPeriods"]) == (2.5, 1)
    formula, micro_usd = spend["Metrics"]
    assert formula["Expression"] == "spend / 1000000"
    assert micro_usd["MetricStat"]["Period"] == 3600
    logged = {name for _, name, _ in filters(customized)}
    assert logged > {"BudgetRefusals", "Spend"}
    (pattern,) = patterns(customized, "BudgetRefusals")
    assert f'"{refusals.BudgetSpent.code}"' in pattern


def test_alarms_on_tokens_and_the_time_to_the_first_one_can_be_set(customized: Package) -> None:
    alarms = customized.of_type(ALARM)
    for name, threshold, periods, seconds, statistic in (
        ("Tokens", 1_000_000, 1, 3600, "Sum"),
        ("FirstToken", 1.5, 2, 300, "p95"),
    ):
        alarm = alarms[f"{name}Alarm"]
        assert (alarm["Threshold"], alarm["EvaluationPeriods"]) == (threshold, periods)
        formula, *figures = alarm["Metrics"]
        used = re.findall(r"\b[a-z]\w*", formula["Expression"])
        assert used == [figure["Id"] for figure in figures]
        for figure in figures:
            stat = figure["MetricStat"]
            assert (stat["Period"], stat["Stat"]) == (seconds, statistic)
            assert stat["Metric"]["MetricName"] in {name for _, name, _ in filters(customized)}


def test_alarms_notify_the_topic_that_is_set(customized: Package) -> None:
    for alarm in customized.of_type(ALARM).values():
        assert (alarm["AlarmActions"], alarm["OKActions"]) == ([TOPIC], [TOPIC])


def test_dashboard_shows_every_metric_of_its_stage_and_of_lambda(by_default: Package) -> None:
    (dashboard,) = by_default.of_type(DASHBOARD).values()
    assert dashboard["DashboardName"] == {"Fn::Sub": "sluice-dev-${AWS::Region}"}
    body = json.loads(dashboard["DashboardBody"]["Fn::Sub"])
    shown = json.dumps(body)
    for _, name, _ in filters(by_default):
        assert name in shown or name == "Requests"  # Outcomes shows its parts
    for metric in ("Invocations", "Errors", "Throttles", "Duration", "ConcurrentExecutions"):
        assert f'"AWS/Lambda", "{metric}"' in shown or f'".", "{metric}"' in shown
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/search-expression-syntax.html
    assert re.findall(r"SEARCH\('{(.+?)}", shown) == [r"\"sluice-dev\",outcome,transport"] * 2
    (kinds,) = re.findall(r"outcome=\((.+?)\)", shown)
    assert set(re.findall(r"\w+_\w+", kinds)) < outcomes()
    for widget in body["widgets"]:
        assert widget["width"] in (8, 16, 24)
        if widget["type"] != "text":
            assert widget["properties"]["region"] == "${AWS::Region}"


def test_dashboard_and_alarms_can_be_left_out(in_production: Package) -> None:
    assert in_production.of_type(DASHBOARD) == {}
    assert in_production.of_type(ALARM) == {}
    assert in_production.of_type(METRIC_FILTER) != {}


def test_deployment_folder_holds_what_serverless_yml_names() -> None:
    named = re.findall(r"\$\{file\((.+?)\)\}", (CHECKOUT / "serverless.yml").read_text())
    files = (path.relative_to(CHECKOUT) for path in (CHECKOUT / "deployment").iterdir())
    assert sorted(map(Path, named)) == sorted(files)
