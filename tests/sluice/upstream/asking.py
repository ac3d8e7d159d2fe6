"""How tests ask an upstream through the gateway's client, and what they ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sluice.aws.parameters import Parameters
from sluice.settings import read_settings
from sluice.upstream.call import ModelCall, chat_call
from sluice.upstream.client import UpstreamClient
from sluice.upstream.targets import read_targets
from tests.sluice.clocks import FOREVER

if TYPE_CHECKING:
    from sluice.deadline import Deadline
    from sluice.stop_signal import StopSignal
    from sluice.upstream.reply import UpstreamReply

BODY = b'{"model": "a", "messages": [], "n": 1.0}'


class Asker:
    """A client with one target. It does not pause between attempts unless the upstream asks it."""

    def __init__(self, url: str, **environ: str) -> None:
        variables = {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "k1", **environ}
        settings = read_settings(variables)
        (self._target,) = read_targets(variables, settings)
        self._client = UpstreamClient(settings, [self._target], Parameters({}), random=lambda: 0.0)
        self.noted: list[dict[str, Any]] = []

    def ask(
        self,
        call: ModelCall | None = None,
        deadline: Deadline = FOREVER,
        stop_signal: StopSignal | None = None,
    ) -> UpstreamReply:
        asked = call or chat_call(BODY)
        return self._client.ask(self._target, asked, deadline, stop_signal, self._note)

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
