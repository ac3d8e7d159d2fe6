"""Chats over the Function URL: requests for HTTP, sseclient-py for its events."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import requests
from requests import Response
from requests.auth import AuthBase
from sseclient import SSEClient

from scripts.access.bearer_key import BearerKey
from scripts.access.errors import ToolError
from scripts.access.forbidden import ERROR_TYPE, FORBIDDEN, URL_ACTIONS, why_forbidden
from scripts.chat.answers import ASKS_FOR_TOKENS, Piece, Question, piece_of, reported
from scripts.chat.interrupts import Interrupts
from scripts.chat.place import Place, Way
from sluice.upstream.error_words import reported_error

CONNECT_TIMEOUT_S = 10.0
SILENCE_TIMEOUT_S = 900.0
"""Timeout of a pause, in seconds: no answer of Lambda lasts longer, and models think."""
BAD_REQUEST, UNAUTHORIZED, NOT_FOUND = 400, 401, 404
UNKNOWN_MODEL = "If the model is unknown, choose another: -m MODEL, or /model."
REJECTED_HERE = "Set FORWARD_KEY, in the shell or in .env, to a key of the service."
REJECTED_THERE = "The provider says so: correct its key, OPENAI_API_KEY of the service."
OF_THE_SERVICE = "authentication_error"
"""The type of the service's own errors about keys; OpenAI's is invalid_request_error."""


class UrlChat:
    """Sends each question as one request; see Transport."""

    def __init__(self, place: Place, ways: Iterator[Way], interrupts: Interrupts) -> None:
        self._place = place
        self._ways = ways
        self._way = next(ways)
        self._interrupts = interrupts
        self._session = requests.Session()
        # A proxy of the environment cannot reach this machine.
        self._session.trust_env = not place.is_local

    def answer(self, question: Question) -> Generator[Piece, None, None]:
        errors = _as_tool_errors(self._place)
        with self._interrupts.raising(), errors, self._posted(question) as reply:
            yield from _pieces(reply)

    def close(self) -> None:
        self._session.close()

    def _posted(self, question: Question) -> Response:
        """Send the question, again where that may help, and return the reply. Raises ToolError."""
        path = "/" if question.template else f"{self._place.api_path}/chat/completions"
        document = question.templated() if question.template else question.chat()
        said_of_signature = ""
        while not (reply := self._post(path, document)).ok:
            failure = _failure(reply)
            other = next(self._ways, None) if _is_refusal(reply) else None
            if other:
                if self._way.credentials is not None:
                    said_of_signature = self._explained(reply, failure)
                self._way = other
            elif reply.status_code == BAD_REQUEST and ASKS_FOR_TOKENS in failure:
                if not document.pop(ASKS_FOR_TOKENS, None):
                    raise ToolError(failure)
            else:
                raise ToolError(said_of_signature or self._explained(reply, failure))
        return reply

    def _post(self, path: str, document: dict[str, Any]) -> Response:
        return self._session.post(
            self._place.address + path,
            data=json.dumps(document).encode(),
            headers={"Content-Type": "application/json"},
            auth=self._auth(),
            timeout=(CONNECT_TIMEOUT_S, SILENCE_TIMEOUT_S),
            allow_redirects=False,
            stream=True,
        )

    def _auth(self) -> AuthBase:
        if self._way.credentials is None:
            return BearerKey(self._way.key)
        from scripts.access.signing import FunctionUrlSignature  # noqa: PLC0415 -- botocore is slow

        return FunctionUrlSignature(self._way.credentials, self._place.region)

    def _explained(self, reply: Response, failure: str) -> str:
        """The failure, with what to do."""
        kind = reply.headers.get(ERROR_TYPE)
        if reply.status_code == FORBIDDEN and kind and not self._place.is_local:
            if self._way.credentials is None:
                return "403: this Function URL requires signed requests. Log in with the AWS CLI."
            return f"{why_forbidden(kind, is_signed=True, actions=URL_ACTIONS)}."
        hint = UNKNOWN_MODEL if reply.status_code == NOT_FOUND else ""
        if reply.status_code == UNAUTHORIZED:
            kind = (reported_error(reply.content) or {}).get("type")
            hint = REJECTED_HERE if kind == OF_THE_SERVICE else REJECTED_THERE
        return f"{failure} {hint}".strip()


def _is_refusal(reply: Response) -> bool:
    return reply.status_code in (UNAUTHORIZED, FORBIDDEN)


def _failure(reply: Response) -> str:
    """The status and the words of an error."""
    words = reported(reported_error(reply.content) or {"message": reply.reason})
    return f"{reply.status_code}: {words.rstrip('.')}."


def _pieces(reply: Response) -> Iterator[Piece]:
    if reply.is_redirect:
        raise ToolError(f"{reply.status_code}: the address redirects. Use the address it leads to.")
    if "event-stream" not in reply.headers.get("Content-Type", ""):
        yield piece_of(_parsed(reply.text))
        return
    is_whole = False
    for event in SSEClient(reply.iter_content(chunk_size=None)).events():
        if event.data == "[DONE]":
            return
        document = _parsed(event.data)
        if event.event == "error":
            raise ToolError(reported(document))
        piece = piece_of(document)
        is_whole = is_whole or bool(piece.finish)
        yield piece
    if not is_whole:
        raise ToolError("The answer broke off.")


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ToolError("The service sent invalid JSON.") from error


@contextmanager
def _as_tool_errors(place: Place) -> Iterator[None]:
    try:
        yield
    except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError):
        raise ToolError("The answer broke off.") from None
    except requests.exceptions.ReadTimeout:
        minutes = SILENCE_TIMEOUT_S / 60
        raise ToolError(f"The service sent nothing for {minutes:.0f} minutes.") from None
    except requests.exceptions.SSLError as error:
        raise ToolError(
            f"The certificate of {place.address} cannot be verified. REQUESTS_CA_BUNDLE may name a"
            " file of further authorities."
        ) from error
    except requests.RequestException as error:
        raise place.unreachable(error) from None
    except UnicodeDecodeError:
        raise ToolError("The service sent text that is not UTF-8.") from None
