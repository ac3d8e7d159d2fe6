"""A scripted model behind an answer cache, and two who ask."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sluice.authentication import Principal
from sluice.completions.request import TemplateRequest
from sluice.request_log import RequestLog
from sluice.upstream.call import JSON, ModelCall
from tests.sluice.answering import SECRET, answering_with
from tests.sluice.clocks import FOREVER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sluice.completions.answer import ModelAnswer
    from sluice.completions.asking import ModelAnswers
    from sluice.deadline import Deadline
    from sluice.state.store import StateStore
    from tests.scripted_upstream import ScriptedUpstream

ANN, BOB = Principal("ann", "key ann"), Principal("bob", "key bob")
ASKED = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
STREAMED = {**ASKED, "stream": True}
COUNTED = {**STREAMED, "stream_options": {"include_usage": True}}


class CacheBench:
    """Asks a scripted model through a cache in memory."""

    def __init__(self, upstream: ScriptedUpstream, **environ: str) -> None:
        self.upstream = upstream
        self.store: StateStore | None = None
        """Where records and limits count."""
        self.line: dict[str, Any] = {}
        self.headers: Mapping[str, str] = {}
        self.answers = self.through(**environ)

    def through(self, **environ: str) -> ModelAnswers:
        own = {"OPENAI_BASE_URL": self.upstream.url, "OPENAI_API_KEY": SECRET}
        cache = {
            "CACHE_CHAT_COMPLETION": "true",
            "CACHE_BACKEND": "MEMORY",
            "UPSTREAM_RETRIES": "0",
        }
        return answering_with({**own, **cache, **environ}, self.store).answers

    def read(
        self,
        request: TemplateRequest | ModelCall,
        read: Callable[[ModelAnswer], bytes | str] = lambda answer: b"".join(answer.chunks()),
        principal: Principal | None = ANN,
        deadline: Deadline = FOREVER,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        with (
            RequestLog("r", "test", write=self._keep) as log,
            self.answers.ask(
                request, log, deadline, principal=principal, headers=headers
            ) as answer,
        ):
            self.headers = answer.headers
            return read(answer)

    def ask(
        self,
        document: Mapping[str, Any],
        principal: Principal | None = ANN,
        path: str = "/chat/completions",
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        named = {"content-type": JSON, **(headers or {})}
        sent = json.dumps(document).encode()
        call = ModelCall("POST", path, "", named, sent, document.get("model"))
        body = self.read(call, principal=principal)
        assert isinstance(body, bytes)
        return body

    @property
    def state(self) -> str:
        """What the last answer says of the cache, which its log line says, too."""
        assert self.line["cache"] == self.headers["x-sluice-cache"]
        return self.headers["x-sluice-cache"]

    @property
    def asked(self) -> int:
        """How often the provider was asked."""
        return len(self.upstream.requests)

    def _keep(self, line: str) -> None:
        self.line = json.loads(line)
