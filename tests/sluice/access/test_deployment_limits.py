"""The deployment's limits: openai-forward's forms, and which of them counts a path."""

from __future__ import annotations

from sluice.access.deployment_limits import DeploymentLimits
from sluice.limit_values import Rate, route_rates


def test_longest_prefix_counts_a_path_and_the_others_share_the_global_rate() -> None:
    routes = route_rates('{"/v1": "5/minute", "/v1/chat": "6/minute", "/free": "inf"}')
    limits = DeploymentLimits(routes, (Rate(7, 60),))
    paths = ["/v1/chat/completions", "/v1/chat", "/v1/chats", "/v1", "/", "/v10", "/free/x"]
    amounts = [[window.rate.amount for window in limits.windows(path)] for path in paths]
    assert amounts == [[6], [6], [5], [5], [7], [7], []]
    lenient = ["/V1/Chat/Completions", "/v1/chat;a=b", "/v1%2Fchat%2fcompletions", "/v1/chat%3Bx"]
    assert [limits.windows(path)[0].rate.amount for path in lenient] == [6] * 4


def test_record_limits_requests_to_all_paths_together() -> None:
    limits = DeploymentLimits()
    (one,), (other,) = limits.windows("/v1/a", rpm_limit=9), limits.windows("/v1/b", rpm_limit=9)
    step = one.step({}, 1_700_000_000_000)
    assert step == other.step({}, 1_700_000_000_000)
