"""What the benches of both transports share: a scripted model, its answers, the log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from sluice.access.identity import Access
from sluice.aws.parameters import Parameters
from sluice.completions.asking import ModelAnswers
from sluice.key_ring import KeyRing
from sluice.settings import Settings, read_settings
from sluice.upstream.client import UpstreamClient
from sluice.upstream.targets import Target, read_targets
from tests.sluice.clocks import hurrying_clock

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from sluice.state.store import StateStore
    from tests.scripted_upstream import ScriptedUpstream

SECRET = "sk-secret-0123456789"


class Answering(NamedTuple):
    settings: Settings
    targets: tuple[Target, ...]
    forward_keys: KeyRing
    answers: ModelAnswers
    access: Access


def answering_with(variables: Mapping[str, str], store: StateStore | None = None) -> Answering:
    """Answers without pauses between attempts. store: where records and limits count."""
    settings = read_settings(variables)
    targets = read_targets(variables, settings)
    client = UpstreamClient(settings, targets, Parameters({}), lambda: 0.0, hurrying_clock())
    forward_keys = KeyRing(settings.forward_keys, Parameters({}))
    access = Access(settings, forward_keys, store)
    answers = ModelAnswers(settings, variables, client, targets[0], forward_keys, access)
    return Answering(settings, targets, forward_keys, answers, access)


class Bench:
    """A scripted model, and the log of the gateway in front of it."""

    def __init__(self, upstream: ScriptedUpstream, capsys: pytest.CaptureFixture[str]) -> None:
        self.upstream = upstream
        self._capsys = capsys

    def logged(self) -> dict[str, Any]:
        """The log line of the one request since the last look."""
        (line,) = self._capsys.readouterr().out.splitlines()
        fields: dict[str, Any] = json.loads(line)
        return fields
