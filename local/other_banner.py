"""The banner of a service of other functions, which is not Sluice (no I/O)."""

from __future__ import annotations

from collections.abc import Iterator

from local.banner import BannerFacts
from local.project.serverless_yml import REGION, ServiceSettings


def other_banner(facts: BannerFacts, service: ServiceSettings) -> str:
    return "\n".join(
        [
            f"{service.service} is running locally.",
            *_addresses(facts, service),
            *(f"  Note           {note}" for note in _notes(facts, service)),
            "",
            "Try it:",
            *(f"  {line}" for line in _lines(facts, service)),
            "",
            "Ready. Press Ctrl-C to stop.",
        ]
    )


def _addresses(facts: BannerFacts, service: ServiceSettings) -> Iterator[str]:
    url = service.url_function()
    if url is not None:
        yield f"  Function URL   {facts.place.http_url()}   ({url.key}; auth: {url.url_auth})"
    if routes := service.routes():
        yield f"  WebSocket      {facts.place.ws_url()}     ({', '.join(sorted(routes))})"


def _notes(facts: BannerFacts, service: ServiceSettings) -> Iterator[str]:
    for function in service.functions:
        if not (function.has_url or function.routes):
            yield f"Nothing invokes {function.key} here: it has no url and no websocket event."
    if facts.open_files:
        yield facts.open_files
    if facts.traces:
        yield "--traces: the trace of each invocation is printed after its end."


def _lines(facts: BannerFacts, service: ServiceSettings) -> Iterator[str]:
    url = service.url_function()
    if url is not None:
        user = '"$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"' if facts.own_keys else "local:local"
        signed = f" --aws-sigv4 aws:amz:{REGION}:lambda --user {user}"
        yield f"curl -N{signed if url.url_auth == 'aws_iam' else ''} {facts.place.http_url()}/"
    if service.routes():
        # wscat ends at the end of its input, which a script has at once.
        yield f"sleep 10 | npx wscat -c {facts.place.ws_url()} -x Hello -w 10"
