"""How tests ask an upstream through the gateway's client, and what they ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sluice.aws.parameters import Parameters
from sluice.settings import read_settings
from sluice.upstream.call import ModelCall, chat_call
from sluice.upstream.client import UpstreamClient
from sluice.upstream.targets import read_targets
from tests.sluice.clocks import FOREVER, hurrying_clock

if TYPE_CHECKING:
    from sluice.deadline import Deadline
    from sluice.stop_signal import StopSignal
    from sluice.upstream.reply import UpstreamReply
    from sluice.upstream.targets import Target

BODY = b'{"model": "a", "messages": [], "n": 1.0}'


class Asker:
    """A client. It does not pause between attempts unless the upstream asks it.

    others: the targets that it asks only if one is named.
    """

    def __init__(self, url: str, **environ: str) -> None:
        variables = {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "k1", **environ}
        settings = read_settings(variables)
        self._target, *others = read_targets(variables, settings)
        targets = [self._target, *others]
        self._client = UpstreamClient(
            settings, targets, Parameters({}), random=lambda: 0.0, clock=hurrying_clock()
        )
        self.others = others
        self.noted: list[dict[str, Any]] = []

    def open_ahead(self, principal: str | None = None) -> None:
        self._client.open_ahead(self._target, principal)

    def ask(
        self,
        call: ModelCall | None = None,
        deadline: Deadline = FOREVER,
        stop_signal: StopSignal | None = None,
        target: Target | None = None,
        principal: str | None = None,
    ) -> UpstreamReply:
        asked, at = call or chat_call(BODY), target or self._target
        return self._client.ask(at, asked, deadline, stop_signal, self._note, principal)

    def read(
        self,
        call: ModelCall | None = None,
        deadline: Deadline = FOREVER,
        stop_signal: StopSignal | None = None,
    ) -> bytes:
        with self.ask(call, deadline, stop_signal) as answer:
            return b"".join(answer.chunks())

    def noted_as(self, name: str) -> list[Any]:
        return [facts[name] for facts in self.noted if name in facts]

    def _note(self, **facts: Any) -> None:
        self.noted.append(facts)


def one_attempt(url: str, **environ: str) -> Asker:
    """Asks once, whatever comes."""
    return Asker(url, UPSTREAM_RETRIES="0", **environ)
