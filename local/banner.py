"""The banner: what the local stack prints when it is ready (no I/O)."""

from __future__ import annotations

from dataclasses import dataclass

from local.models.catalog import MODELS
from local.project.environment import LocalPlace, is_loopback
from local.project.overview import Row
from local.project.serverless_yml import REGION, ServiceSettings


@dataclass(frozen=True, slots=True)
class BannerFacts:
    """What the banner shows; it holds no key."""

    place: LocalPlace
    url_auth: str
    websocket_auth: str
    upstream: str
    own_keys: bool
    has_forward_key: bool
    overview: tuple[Row, ...] = ()
    unencrypted: tuple[str, ...] = ()
    names_another_api: bool = False
    chat_file: str = ""
    open_files: str = ""
    traces: bool = False
    api_path: str = "/v1"
    other: ServiceSettings | None = None
    """The service, if it is not Sluice; then other_banner shows it."""

    def rejects_everyone(self) -> bool:
        """Return whether the WebSocket requires a forward key and none is set."""
        needs_key = (self.websocket_auth or "forward_key") == "forward_key"
        return needs_key and not self.has_forward_key


def banner(facts: BannerFacts) -> str:
    place = facts.place
    return "\n".join(
        [
            "Sluice is running locally.",
            f"  Playground     {place.http_url()}/   (open it in a browser)",
            f"  Function URL   {place.http_url()}   ({_url_auth(facts)})",
            f"  WebSocket      {place.ws_url()}     ({_websocket_auth(facts)})",
            f"  Upstream       {_upstream(facts)}",
            *(f"  {label:<14} {text}" for label, text in facts.overview),
            *(f"  Note           {note}" for note in _notes(facts)),
            "",
            "Try it:",
            *(f"  {line}" for line in (curl_line(facts), wscat_line(facts), *_sdk_lines(facts))),
            "",
            "Ready. Press Ctrl-C to stop.",
        ]
    )


def curl_line(facts: BannerFacts) -> str:
    target = f"'{facts.place.http_url()}/?message=Hello'"
    if facts.url_auth == "none":
        return f'curl -N -H "Authorization: Bearer $FORWARD_KEY" {target}'
    user = '"$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"' if facts.own_keys else "local:local"
    return f"curl -N --aws-sigv4 aws:amz:{REGION}:lambda --user {user} {target}"


def wscat_line(facts: BannerFacts) -> str:
    """Return a wscat command that sends one prompt, or what is missing to connect."""
    url = facts.place.ws_url()
    if facts.rejects_everyone():
        return f"Set FORWARD_KEY in .env to connect to {url}"
    if facts.websocket_auth == "aws_iam":
        return f"{url} requires a presigned URL (WEBSOCKET_AUTH=aws_iam)"
    key = ' -H "Authorization: Bearer $FORWARD_KEY"'
    header = key if facts.websocket_auth == "forward_key" else ""
    message = """'{"action":"sendmessage","data":"Hello"}'"""
    # wscat ends at the end of its input, which a script has at once.
    return f"sleep 10 | npx wscat -c {url}{header} -x {message} -w 10"


def _sdk_lines(facts: BannerFacts) -> list[str]:
    """Return the line for OpenAI's SDK, if a key is enough."""
    if facts.url_auth != "none" and facts.own_keys:
        return []
    key = 'os.environ["FORWARD_KEY"]' if facts.url_auth == "none" else '"local"'
    return [f'OpenAI(base_url="{facts.place.http_url()}{facts.api_path}", api_key={key})']


def _notes(facts: BannerFacts) -> list[str]:
    """Return what may surprise the user: who can connect, and what is logged."""
    notes = []
    if facts.has_forward_key and facts.websocket_auth == "none":
        notes.append(
            "The WebSocket requires no key. Set WEBSOCKET_AUTH=forward_key to require one."
        )
    if facts.has_forward_key and facts.url_auth != "none":
        notes.append(
            "The Function URL takes no FORWARD_KEY. Set FUNCTION_URL_AUTH=none to require one."
        )
    shows_key = facts.url_auth == "none" or facts.websocket_auth == "forward_key"
    if facts.has_forward_key and shows_key:
        notes.append("FORWARD_KEY below stands for one of the keys in your .env or shell.")
    notes.extend(
        f"{variable} is http://: the key and all prompts cross the network in clear text."
        for variable in facts.unencrypted
    )
    if facts.names_another_api:
        notes.append("API_GW_ENDPOINT counts in a deployment: here, frames go to this stack.")
    if facts.open_files:
        notes.append(facts.open_files)
    if facts.chat_file:
        notes.append(f"LOG_CHAT=true: messages and answers are logged, also in {facts.chat_file}.")
    if facts.traces:
        notes.append("--traces: the trace of each invocation is printed after its end.")
    return notes


def _url_auth(facts: BannerFacts) -> str:
    if facts.url_auth == "none":
        return "auth: none, requires a forward key"
    proof = " by AWS_ACCESS_KEY_ID of the shell or .env" if facts.own_keys else " or the key local"
    return f"auth: aws_iam, requires signed requests{proof}"


def _websocket_auth(facts: BannerFacts) -> str:
    mode = facts.websocket_auth or "forward_key"
    if facts.rejects_everyone():
        return f"auth: {mode}; rejects every client until FORWARD_KEY is set"
    scope = ", loopback only" if is_loopback(facts.place.host) else ""
    return f"auth: {mode}{scope}"


def _upstream(facts: BannerFacts) -> str:
    if facts.place.model:
        summary = MODELS[facts.place.model].summary
        return f"{facts.place.model} at {facts.place.demo_base_url} ({summary})"
    if facts.place.demo_base_url:
        return (
            f"demo model at {facts.place.demo_base_url}; answers come from the demo model. "
            "Set OPENAI_API_KEY or OPENAI_BASE_URL in .env, or add --model gemma3, for a real one."
        )
    return facts.upstream
