"""What the local stack says when it is ready (no I/O)."""

from __future__ import annotations

from dataclasses import dataclass

from local.project.environment import LocalPlace, UserSettings, is_loopback
from local.project.serverless_yml import REGION


@dataclass(frozen=True, slots=True)
class BannerFacts:
    """What the banner tells; no key is among it."""

    place: LocalPlace
    url_auth: str
    websocket_auth: str
    upstream: str
    own_keys: bool
    has_forward_key: bool
    logs_chats: bool = False

    def lets_nobody_connect(self) -> bool:
        """Return whether the WebSocket asks for a key and none is the right one."""
        wants_key = (self.websocket_auth or "forward_key") == "forward_key"
        return wants_key and not self.has_forward_key


def banner(facts: BannerFacts) -> str:
    """Return the banner: where everything is, how to get in, and lines to paste."""
    place = facts.place
    return "\n".join(
        [
            "Sluice on this machine",
            f"  Function URL   {place.http_url()}   ({_url_auth(facts.url_auth)})",
            f"  WebSocket      {place.ws_url()}     ({_websocket_auth(facts)})",
            f"  Upstream       {_upstream(facts)}",
            *(f"  Note           {note}" for note in _notes(facts)),
            "",
            f"  {curl_line(facts)}",
            f"  {wscat_line(facts)}",
            "Ready. Ctrl-C ends it.",
        ]
    )


def curl_line(facts: BannerFacts) -> str:
    """Return a curl command that streams an answer."""
    target = f"'{facts.place.http_url()}/?message=Hello'"
    if facts.url_auth == "none":
        return f'curl -N -H "Authorization: Bearer $FORWARD_KEY" {target}'
    user = '"$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"' if facts.own_keys else "local:local"
    return f"curl -N --aws-sigv4 aws:amz:{REGION}:lambda --user {user} {target}"


def wscat_line(facts: BannerFacts) -> str:
    """Return a wscat command that sends one prompt."""
    if facts.lets_nobody_connect():
        return f"Set FORWARD_KEY in .env to connect to {facts.place.ws_url()}"
    if facts.websocket_auth == "aws_iam":
        return f"{facts.place.ws_url()} takes presigned URLs only (WEBSOCKET_AUTH=aws_iam)"
    key = ' -H "Authorization: Bearer $FORWARD_KEY"'
    header = key if facts.websocket_auth == "forward_key" else ""
    message = """'{"action":"sendmessage","data":"Hello"}'"""
    return f"npx wscat -c {facts.place.ws_url()}{header} -x {message} -w 10"


def _notes(facts: BannerFacts) -> list[str]:
    """Return what may surprise: who can get in, and what is kept."""
    notes = []
    if facts.url_auth == "aws_iam" and not (facts.own_keys or is_loopback(facts.place.host)):
        notes.append(
            "whoever reaches this machine may sign with local:local; set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY"
        )
    if facts.has_forward_key and facts.websocket_auth == "none":
        notes.append("the WebSocket asks for no key; WEBSOCKET_AUTH=forward_key makes it")
    if "forward_key" in (facts.websocket_auth, facts.url_auth) or facts.url_auth == "none":
        notes.append("below, FORWARD_KEY is one of the keys in your .env or shell")
    if facts.logs_chats:
        notes.append("LOG_CHAT=true: messages and answers stand in the log")
    return notes


def uses_own_keys(user: UserSettings) -> bool:
    """Return whether the user's own AWS key pair signs."""
    return bool(user.get("AWS_ACCESS_KEY_ID") and user.get("AWS_SECRET_ACCESS_KEY"))


def _url_auth(mode: str) -> str:
    if mode == "none":
        return "none: a key of FORWARD_KEY lets in"
    return "aws_iam: signed requests only"


def _websocket_auth(facts: BannerFacts) -> str:
    mode = facts.websocket_auth or "forward_key"
    if facts.lets_nobody_connect():
        return f"auth: {mode}; nobody can connect until FORWARD_KEY is set"
    scope = ", loopback only" if is_loopback(facts.place.host) else ""
    return f"auth: {mode}{scope}"


def _upstream(facts: BannerFacts) -> str:
    if facts.place.demo_base_url:
        return (
            f"demo model at {facts.place.demo_base_url} (answers come from the demo model; "
            "set OPENAI_API_KEY or OPENAI_BASE_URL in .env for a real one)"
        )
    return facts.upstream
