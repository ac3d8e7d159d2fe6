"""The banner of a service of other functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.banner import BannerFacts
from local.other_banner import other_banner
from local.project.environment import LocalPlace
from local.project.serverless_yml import ServiceFile

if TYPE_CHECKING:
    from pathlib import Path


def lines(folder: Path, functions: str, *, own_keys: bool = False) -> list[str]:
    config = folder / "serverless.yml"
    config.write_text(f"service: own\nprovider: {{name: aws}}\nfunctions: {functions}\n")
    facts = BannerFacts(
        place=LocalPlace("127.0.0.1", 3000, 3001),
        url_auth="",
        websocket_auth="",
        upstream="",
        own_keys=own_keys,
        has_forward_key=False,
        open_files="Few files.",
        traces=True,
    )
    return other_banner(facts, ServiceFile(config).service({})).splitlines()


def test_shows_the_url_the_routes_and_what_nothing_invokes(tmp_path: Path) -> None:
    functions = (
        "{a: {handler: a.b, url: true}, b: {handler: a.b, events: [{websocket: $connect},"
        " {websocket: say}]}, c: {handler: a.b}}"
    )
    assert lines(tmp_path, functions) == [
        "own is running locally.",
        "  Function URL   http://127.0.0.1:3000   (a; auth: none)",
        "  WebSocket      ws://127.0.0.1:3001     ($connect, say)",
        "  Note           Nothing invokes c here: it has no url and no websocket event.",
        "  Note           Few files.",
        "  Note           --traces: the trace of each invocation is printed after its end.",
        "",
        "Try it:",
        "  curl -N http://127.0.0.1:3000/",
        "  sleep 10 | npx wscat -c ws://127.0.0.1:3001 -x Hello -w 10",
        "",
        "Ready. Press Ctrl-C to stop.",
    ]


def test_signs_by_the_pair_that_is_checked(tmp_path: Path) -> None:
    signed = "{a: {handler: a.b, url: {authorizer: aws_iam}}}"
    for own_keys, pair in ((False, "local:local"), (True, '"$AWS_ACCESS_KEY_ID:$AWS_SECRET_')):
        text = "\n".join(lines(tmp_path, signed, own_keys=own_keys))
        assert f"curl -N --aws-sigv4 aws:amz:us-east-1:lambda --user {pair}" in text
        assert "(a; auth: aws_iam)" in text
        assert "WebSocket" not in text
