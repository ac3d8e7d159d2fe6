"""Requests of clients, and the upstream requests they become."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sluice.completions.request import (
    NativeRequest,
    ResponseType,
    TemplateRequest,
    parse_object,
    parse_request,
    parse_template,
    plain_request,
    streamed,
    upstream_body,
)
from sluice.errors import (
    InvalidField,
    InvalidJson,
    PromptTemplateNotAllowed,
    PromptTemplateNotFound,
)
from sluice.settings import read_settings

HELLO = [{"role": "user", "content": "Hello"}]
SETTINGS = read_settings({"OPENAI_MODEL": "small"})
SECRETS = """
    OPENAI_API_KEY OPENAI_API_KEY_PARAMETER OPENAI_API_KEY_OLD_TEMPLATE OPENAI_BASE_URL FORWARD_KEY
    AZURE_OPENAI_TOKEN AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN PROMPT_API_KEY prompt_api_key
    PROMPT_DB_PASSWORD PROMPT_TOKEN_2 PROMPT_KEY2 PROMPT_ACCESSKEY STRIPE_KEY_TEMPLATE PGPASS
    DBPASSWORD_TEMPLATE DATABASE_URL PROMPT_TEMPLATES PROXY _HANDLER MYSQL_PWD ROOTPWD SSHPASS
    SMTP_PASS PASSWORDS MY_PASSCODE PROMPT_PIN ADMIN_CREDS DBCREDS GCP_CREDENTIALS_JSON
    DB_CONNSTRING DB_CONN_STR AZURE_CONNECTION_STRING REDISCONNECTIONSTRING SENTRY_DSN MONGO_URIS
    SLACK_WEBHOOK SLACK_WEB_HOOK_2 DEPLOY_HOOKS SESSION_COOKIE SESSIONID STRIPE_SK TLS_CERT
    CLIENT_CERTS SIGNING_PEM KEYSTORE_FILE WEBHOOK_HMAC HASH_SALT PEPPER NETRC TLS_P12 SSHKEY
    GITHUB_PATS BASICAUTH AZURE_SAS HTTPS_PROXY JWKS KUBECONFIG
"""
HONEST_NAMES = """
    PROMPT_TOKENIZER_HELP PROMPT_KEYWORDS PROMPT_KEYNOTE PROMPT_AUTHOR PROMPT_SECRETARY
    PROMPT_PASSAGE PROMPT_PASSENGER PROMPT_MONKEY PROMPT_TURKEYS PROMPT_COMPASS PROMPT_CURL
    PROMPT_CREDIT PROMPT_PATTERN PROMPT_CERTAINTY PROMPT_SALTY PROMPT_SKETCH PROMPT_PINNED
    PROMPT_HAIKU SESSIONLESS_TEMPLATE
"""
NO_NAMES = (
    "PROMPT_A\nOPENAI_API_KEY", "PROMPT_\ud800", "PROMPT_" + "A" * 200, "PROMPT_É", "PROMPT_A=B",
)  # fmt: skip


def naming(prompt_template: str) -> TemplateRequest:
    return plain_request("Hello")._replace(prompt_template=prompt_template)


def parse(document: object) -> TemplateRequest | NativeRequest:
    return parse_request(json.dumps(document).encode())


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ({"messages": HELLO}, TemplateRequest),
        ({"messages": HELLO, "caching": False}, TemplateRequest),
        ({"messages": HELLO, "response_type": "full"}, TemplateRequest),
        ({"prompt_template": "PROMPT_A", "messages": HELLO}, TemplateRequest),
        ({"prompt_template": "PROMPT_A", "messages": HELLO, "model": "m"}, TemplateRequest),
        ({"model": "m", "messages": HELLO}, NativeRequest),
        ({"messages": HELLO, "stream": True}, NativeRequest),
        ({"input": "text"}, NativeRequest),
    ],
)
def test_request_is_a_template_or_native_one(document: object, kind: type) -> None:
    assert isinstance(parse(document), kind)


@pytest.mark.parametrize(("value", "caching"), [(True, True), (False, False), ("no", None)])
def test_template_may_say_whether_to_use_the_cache(value: object, *, caching: bool | None) -> None:
    request = parse({"messages": HELLO, "caching": value})
    assert isinstance(request, TemplateRequest)
    assert request.caching is caching


def test_response_type_is_stream_unless_named() -> None:
    request = parse({"messages": HELLO})
    assert isinstance(request, TemplateRequest)
    assert request.response_type is ResponseType.STREAM


@pytest.mark.parametrize(
    ("document", "param"),
    [
        ({"response_type": "full"}, "messages"),
        ({"response_type": "full", "messages": []}, "messages"),
        ({"response_type": "full", "messages": "hello"}, "messages"),
        ({"response_type": "full", "messages": ["hello"]}, "messages[0]"),
        ({"messages": [*HELLO, {"role": "system", "content": "x"}]}, "messages[1].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 1}]}, "messages[0].content"),
        ({"messages": HELLO, "response_type": "xml"}, "response_type"),
        ({"messages": HELLO, "response_type": ["int"]}, "response_type"),
        ({"messages": HELLO, "prompt_template": 7}, "prompt_template"),
    ],
)
def test_wrong_field_is_named(document: object, param: str) -> None:
    with pytest.raises(InvalidField) as caught:
        parse(document)
    assert caught.value.param == param
    assert caught.value.http_status == 400


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"[]", b'"text"', b"null", b"[" * 200_000]
)
def test_other_json_is_rejected_and_not_quoted(body: bytes) -> None:
    with pytest.raises(InvalidJson) as caught:
        parse_request(body)
    assert len(caught.value.message) < 100


def test_system_prompt_is_the_named_variable() -> None:
    prompts = {"PROMPT_PIRATE": "Speak like a pirate."}
    sent = json.loads(upstream_body(naming("PROMPT_PIRATE"), SETTINGS, prompts))
    system = {"role": "system", "content": "Speak like a pirate."}
    assert sent == {"model": "small", "messages": [system, *HELLO], "stream": True}
    assert json.loads(upstream_body(plain_request("Hello"), SETTINGS, {}))["messages"] == HELLO


@pytest.mark.parametrize("name", [*SECRETS.split(), *NO_NAMES])
@pytest.mark.parametrize("patterns", ["*_TEMPLATE,PROMPT_*", "*"])
def test_secret_is_never_a_prompt_whatever_the_patterns_say(name: str, patterns: str) -> None:
    settings = read_settings({"PROMPT_TEMPLATES": patterns})
    with pytest.raises(PromptTemplateNotAllowed) as caught:
        upstream_body(naming(name), settings, {name: "SECRET VALUE"})
    assert "SECRET VALUE" not in str(caught.value.document())


def test_name_that_only_contains_such_a_word_may_be_a_prompt() -> None:
    for name in HONEST_NAMES.split():
        assert upstream_body(naming(name), SETTINGS, {name: "You translate."}), name


def test_value_that_contains_a_key_is_never_a_prompt() -> None:
    secrets = ("sk-1234567890-abc", "fk-1234567890-abc", "demo")
    for secret in secrets[:2]:
        with pytest.raises(PromptTemplateNotAllowed):
            upstream_body(naming("PROMPT_A"), SETTINGS, {"PROMPT_A": f"use {secret}"}, secrets)
    # What is too short to be a secret is a word.
    assert upstream_body(naming("PROMPT_A"), SETTINGS, {"PROMPT_A": "Demonstrate: demo."}, secrets)


@pytest.mark.parametrize("name", ["PATH", "HOME", "TEMPLATE", "prompt_a", "MY_TEMPLATE_2"])
def test_name_outside_the_patterns_is_rejected_whether_it_exists_or_not(name: str) -> None:
    refusals = []
    for environ in ({name: "value"}, dict[str, str]()):
        with pytest.raises(PromptTemplateNotAllowed) as caught:
            upstream_body(naming(name), SETTINGS, environ)
        refusals.append(caught.value.document())
    assert refusals[0] == refusals[1]


def test_permitted_name_without_a_value_is_unknown() -> None:
    with pytest.raises(PromptTemplateNotFound, match="PROMPT_NONE"):
        upstream_body(naming("PROMPT_NONE"), SETTINGS, {})


@pytest.mark.parametrize(
    ("stream", "sent"), [({}, True), ({"stream": None}, True), ({"stream": False}, False)]
)
def test_chat_is_streamed_unless_it_says_otherwise(stream: dict[str, Any], *, sent: bool) -> None:
    request = streamed({"messages": HELLO, **stream})
    assert json.loads(request.body) == request.document == {"messages": HELLO, "stream": sent}


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_number_that_json_does_not_know_is_invalid(number: str) -> None:
    with pytest.raises(InvalidJson, match=f"{number} is not a number of JSON"):
        parse_request(f'{{"model": "m", "temperature": {number}}}'.encode())


def test_number_too_large_is_never_written_as_one_that_json_does_not_know() -> None:
    document = parse_object(b'{"messages": [{"role": "user", "content": [{"x": 1e400}]}]}')
    with pytest.raises(InvalidJson, match="too large"):
        streamed(document)
    with pytest.raises(InvalidJson, match="too large"):
        upstream_body(parse_template(document), SETTINGS, {})
