"""Who gets through to the function of a URL, what others learn, and what the console says."""

from __future__ import annotations

import pytest
from botocore.credentials import Credentials as SigningKeys

from local.http.sigv4_verification import SignatureCheck
from local.project.environment import Credentials
from tests.local.function_url.url_bench import serving
from tests.local.http.signing import presigned_url, signed_headers
from tests.local.runtime_api.scripted_invoker import prelude, streamed

LOCAL = SignatureCheck(Credentials("local", "local"), "lambda", "us-east-1")
OWN = SignatureCheck(Credentials("AKIDOWN", "hush"), "lambda", "us-east-1")
ANSWER = streamed(prelude(headers={"content-type": "text/plain"}), b"yes")
URL = "http://127.0.0.1/v1/models"
PAGE = "http://localhost:5173"


@pytest.mark.parametrize(
    "key", [{"authorization": "Bearer local"}, {"api_key": "local"}, {"x_api_key": "local"}]
)
async def test_key_local_stands_for_a_signature_by_local(key: dict[str, str]) -> None:
    async with serving(ANSWER, LOCAL) as it:
        assert (await it.ask("GET", "/v1/models", b"", **key)).body == b"yes"
        context = (await it.invoker.events.get())["requestContext"]
        assert context["authorizer"]["iam"]["accessKey"] == "local"
        assert it.lines == []


@pytest.mark.parametrize(
    ("check", "headers", "says"),
    [
        (LOCAL, {}, 'api_key="local"'),
        (LOCAL, {"authorization": "Bearer sk-hush"}, 'api_key="local"'),
        (LOCAL, {"x_api_key": "hush"}, "--aws-sigv4 aws:amz:us-east-1:lambda --user local:local"),
        (LOCAL, {"authorization": "Basic hush"}, 'api_key="local"'),
        (LOCAL, {"authorization": "Bearer local", "host": "evil.example"}, "127.0.0.1"),
        (LOCAL, {"upgrade": "websocket", "connection": "upgrade"}, "the WebSocket's address"),
        (LOCAL, {"authorization": "AWS4-HMAC-SHA256 Credential=hush"}, "with an AWS SDK"),
        (OWN, {"authorization": "Bearer sk-x"}, "set FUNCTION_URL_AUTH=none and FORWARD_KEY"),
        (OWN, {"api_key": "local"}, "finds AWS_ACCESS_KEY_ID in its shell or .env. Start it with"),
        (OWN, {}, '"$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"'),
    ],
)
async def test_request_without_a_signature_is_one_line_that_says_what_to_do(
    check: SignatureCheck, headers: dict[str, str], says: str
) -> None:
    async with serving(ANSWER, check) as it:
        for _ in range(3):
            assert (await it.ask("GET", "/v1/models", b"", **headers)).status == 403
        (line,) = it.lines
        assert line.startswith("refused | Function URL, 403: ")
        assert says in line
        assert "hush" not in line
        assert it.invoker.events.empty()


@pytest.mark.parametrize(
    ("check", "keys", "region", "service", "says"),
    [
        (LOCAL, SigningKeys("local", "hush"), "us-east-1", "lambda", "secret key of local:local"),
        (LOCAL, SigningKeys("AKIDHUSH", "hush"), "us-east-1", "lambda", "Use local:local (or set"),
        (OWN, SigningKeys("AKIDHUSH", "hush"), "us-east-1", "lambda", "Use AWS_ACCESS_KEY_ID and"),
        (LOCAL, SigningKeys("local", "local"), "eu-west-1", "lambda", "Sign for us-east-1."),
        (LOCAL, SigningKeys("local", "local"), "us-east-1", "s3", "Sign for lambda."),
    ],
)
async def test_rejected_signature_is_one_line_that_says_how_to_sign(
    check: SignatureCheck, keys: SigningKeys, region: str, service: str, says: str
) -> None:
    async with serving(ANSWER, check) as it:
        headers = signed_headers("GET", URL, keys=keys, region=region, service=service)
        assert (await it.ask("GET", "/v1/models", b"", **headers)).status == 403
        (line,) = it.lines
        assert says in line
        assert not any(part.lower() in line.lower() for part in ("hush", headers["Authorization"]))


async def test_clock_of_the_client_is_named() -> None:
    async with serving(ANSWER, LOCAL) as it:
        url = presigned_url("http://127.0.0.1/").replace("X-Amz-Date=20", "X-Amz-Date=19")
        url = url.replace("local%2F20", "local%2F19")
        assert (await it.ask("GET", url.removeprefix("http://127.0.0.1"))).status == 403
        (line,) = it.lines
        assert "Set the client's clock by this machine's" in line
        assert "Signature=" not in line


@pytest.mark.parametrize(
    ("headers", "shows"),
    [
        ({}, False),
        ({"authorization": "Bearer sk-x"}, True),
        ({"authorization": "AWS4-HMAC-SHA256 x", "x_stainless_lang": "python"}, True),
    ],
)
async def test_refusal_has_the_field_that_sdks_show_if_an_sdk_asks(
    headers: dict[str, str], *, shows: bool
) -> None:
    async with serving(ANSWER, LOCAL) as it:
        document = (await it.ask("GET", "/v1/models", b"", **headers)).json()
        assert document["Message"]
        assert ("error" in document) is shows
        assert not shows or document["error"]["message"] in it.lines[0]


async def test_page_of_this_machine_may_ask_and_read_the_answer() -> None:
    async with serving(ANSWER, LOCAL) as it:
        asking = {
            "origin": PAGE,
            "sec_fetch_site": "cross-site",
            "access_control_request_method": "POST",
            "access_control_request_headers": "authorization, content-type",
        }
        allowed = await it.ask("OPTIONS", "/v1/chat/completions", b"", **asking)
        assert allowed.status == 204
        assert allowed.header("access-control-allow-origin") == PAGE
        assert allowed.header("access-control-allow-headers") == "authorization, content-type"
        assert "POST" in allowed.header("access-control-allow-methods")
        assert it.invoker.events.empty()
        page = {"origin": PAGE, "sec_fetch_site": "cross-site"}
        for key, status in (("local", 200), ("sk-x", 403)):
            answer = await it.ask("GET", "/", b"", **page, authorization=f"Bearer {key}")
            assert answer.status == status
            assert answer.headers["access-control-allow-origin"] == [PAGE]
            assert answer.header("vary") == "origin"


async def test_function_that_states_the_origin_itself_is_not_contradicted() -> None:
    own = streamed(prelude(headers={"access-control-allow-origin": "*"}))
    async with serving(own, LOCAL) as it:
        answer = await it.ask("GET", "/", origin=PAGE, authorization="Bearer local")
        assert answer.headers["access-control-allow-origin"] == ["*"]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "file://"])
async def test_page_of_another_site_is_refused_whatever_it_sends(origin: str) -> None:
    async with serving(ANSWER, LOCAL) as it:
        target = presigned_url("http://127.0.0.1/?message=Hi").removeprefix("http://127.0.0.1")
        asks: list[tuple[str, str, dict[str, str]]] = [
            ("GET", target, {}),
            ("POST", "/", {"content_type": "text/plain", "authorization": "Bearer local"}),
            ("OPTIONS", "/v1/models", {"access_control_request_method": "GET"}),
            ("GET", "/_local/health", {}),
        ]
        for method, path, headers in asks:
            answer = await it.ask(method, path, b"", origin=origin, **headers)
            assert answer.status == 403
            assert "access-control-allow-origin" not in answer.headers
        assert it.invoker.events.empty()
        assert len(it.lines) == 1


async def test_own_key_pair_leaves_other_sites_to_the_signature() -> None:
    async with serving(ANSWER, OWN) as it:
        headers = signed_headers(
            "GET", "http://gateway.example/v1/models", keys=SigningKeys("AKIDOWN", "hush")
        )
        headers["Origin"] = "https://app.example"
        assert (await it.ask("GET", "/v1/models", b"", **headers)).status == 200
        assert it.lines == []


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({}, "has no key. Send one of FORWARD_KEY"),
        ({"authorization": "Bearer hush"}, "The key is unknown. Send one of FORWARD_KEY"),
        ({"api_key": "hush"}, "The key is unknown."),
        ({"api_key": "sk-sluice-hush"}, "All keys: npm run keys -- list"),
        ({"authorization": "Bearer fk-1"}, ""),  # the provider's 401
    ],
)
async def test_unknown_forward_key_is_a_line_and_the_providers_401_is_none(
    headers: dict[str, str], says: str
) -> None:
    async with serving(streamed(prelude(statusCode=401)), forward_keys={"fk-1"}) as it:
        assert (await it.ask("GET", "/", b"", **headers)).status == 401
        assert [says in line and "hush" not in line for line in it.lines] == [True] * bool(says)
