"""A request to a model's API, before its target and key are known (no I/O)."""

from __future__ import annotations

import json
import re

from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

JSON = "application/json"
MULTIPART = "multipart/form-data"
OBJECT = re.compile(rb"\s*{")
BLANKS = re.compile(r"[ \t\n\r]*")  # JSON's, RFC 8259 section 2
# As text, like every rarely used pattern: `re` compiles it at its first use, and keeps it.
BOUNDARY = r'(?i);\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))'
"""RFC 2046 section 5.1.1: up to 70 characters."""
MODEL_PART = (
    rb'(?im)^content-disposition:(?:[^"\r\n]|"[^"\r\n]*")*;[ \t]*name=(?:"model"|model)'
    rb"[ \t]*(?:;|\r|$)"
)
"""A header of the form's part that holds the model. RFC 7578 section 4.2."""
MODEL_IN_PATH = r"/(?:models/([^/:]+?)(?::|%3A)[^/]*|(?:engines|model)/([^/]+)/[^/]+)\Z"
"""Paths of Gemini's API (/v1beta/models/NAME:generateContent), of Amazon Bedrock's
(/model/NAME/invoke), and OpenAI's oldest ones (/engines/NAME/completions)."""
MODEL_PARTS = ("/models/", "/engines/", "/model/")
MAX_PART_HEADERS_BYTES = 8 * 1024  # a name and a type; more is content
MAX_MODEL_BYTES = 256  # names of fine-tuned models, the longest, have about 100

_decode_value = json.JSONDecoder().raw_decode


class ModelCall(NamedTuple):
    """A request below an API's root, such as POST /chat/completions.

    path and query: percent-encoded, as the client sent them, without the "?". headers: the
    client's, names in lower case. model: the one that the body names, if any.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    model: str | None

    @property
    def is_json(self) -> bool:
        return self.headers.get("content-type", "").lower().startswith(JSON)

    @property
    def may_ask_another(self) -> bool:
        """Whether `by_model` makes another model answer: no form changes, and no path."""
        return self.is_json and model_of_path(self.path) is None

    def by_model(self, model: str) -> ModelCall:
        """The same request for another model, if the body is JSON; a form stays unchanged."""
        changed = self.with_member("model", model)
        return self if changed is self else changed._replace(model=model)

    def with_member(self, name: str, value: object) -> ModelCall:
        """The same request with this member of its JSON object; any other body stays unchanged.

        Nothing else is written anew: numbers, order and blanks stay the client's.
        """
        if not self.is_json or not OBJECT.match(self.body):
            return self
        try:
            body = _with_member(self.body.decode(), name, value).encode()
        except (ValueError, RecursionError):
            return self  # invalid JSON: the upstream's error says more
        return self._replace(body=body)

    def without_member(self, name: str) -> ModelCall:
        """The same request without the members of this name. Its body must be a JSON object.

        The other members are the client's, byte for byte.
        """
        text = self.body.decode()
        kept = (text[start:end] for found, start, _, end in _members(text) if found != name)
        return self._replace(body=f"{{{', '.join(kept)}}}".encode())


def chat_call(body: bytes, model: str | None = None) -> ModelCall:
    """The call for a chat completion with the JSON `body`."""
    headers = {"content-type": JSON}
    return ModelCall(
        "POST", "/chat/completions", "", headers, body, model or model_of(headers, body)
    )


def model_of(headers: Mapping[str, str], body: bytes) -> str | None:
    """The model that a body names, in JSON or in a form; None if it names none."""
    content_type = headers.get("content-type", "")
    if content_type.lower().startswith(MULTIPART):
        return _model_of_form(content_type, body)
    if not OBJECT.match(body):
        return None
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    model = document.get("model")
    return model if isinstance(model, str) and _can_be_sent(model) else None


def model_of_path(path: str) -> str | None:
    """The model that a path names instead of the body, as some APIs want it."""
    if not any(part in path for part in MODEL_PARTS):
        return None  # nearly always, and to compile the pattern takes 0.3 ms
    found = re.search(MODEL_IN_PATH, path)
    if found is None:
        return None
    from urllib.parse import unquote  # noqa: PLC0415 -- slow to import, see http.urls

    return unquote(found[1] or found[2])


def _can_be_sent(model: str) -> bool:
    """Half a surrogate pair is valid JSON, but cannot be part of a URL."""
    return bool(model) and not any("\ud800" <= character <= "\udfff" for character in model)


def _model_of_form(content_type: str, body: bytes) -> str | None:
    """None for two models, too: servers differ in which one counts."""
    found = {content for head, content in _parts(content_type, body) if re.search(MODEL_PART, head)}
    content = found.pop() if len(found) == 1 else b""
    text = content[:MAX_MODEL_BYTES].decode("utf-8", "replace").strip()
    return text if text and len(content) <= MAX_MODEL_BYTES else None


def _parts(content_type: str, body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The headers and the content of each part of a form. RFC 2046 section 5.1."""
    boundary = re.search(BOUNDARY, content_type)
    if boundary is None:
        return
    delimiter = b"\r\n--" + (boundary[1] or boundary[2]).encode("utf-8", "replace")
    for part in (b"\r\n" + body).split(delimiter)[1:-1]:
        head_end = part.find(b"\r\n\r\n", 0, MAX_PART_HEADERS_BYTES)
        if head_end >= 0:
            yield part[:head_end].lstrip(b"\r\n"), part[head_end + 4 :]


def _with_member(text: str, name: str, value: object) -> str:
    """The JSON object with `value` in each of its members of that name, or in a new first one.

    In each, because some parsers of JSON take the first of several and some the last.
    """
    written = json.dumps(value)
    pieces, copied = [], 0
    for found, _, start, end in _members(text):
        if found != name:
            continue
        pieces += [text[copied:start], written]
        copied = end
    if pieces:
        return "".join([*pieces, text[copied:]])
    inside = text.index("{") + 1
    comma = "" if text[_after_blanks(text, inside)] == "}" else ", "
    return f"{text[:inside]}{json.dumps(name)}: {written}{comma}{text[inside:]}"


def _members(text: str) -> Iterator[tuple[str, int, int, int]]:
    """The names of an object's members, where each begins, its value begins, and both end.

    Raises ValueError.
    """
    json.loads(text)  # it is an object: what follows relies on that
    position = _after_blanks(text, _after_blanks(text, 0) + 1)
    while text[position] == '"':
        name, name_end = _decode_value(text, position)
        start = _after_blanks(text, _after_blanks(text, name_end) + 1)
        _, end = _decode_value(text, start)
        yield name, position, start, end
        position = _after_blanks(text, _after_blanks(text, end) + 1)
        if position >= len(text):
            return


def _after_blanks(text: str, position: int) -> int:
    found = BLANKS.match(text, position)
    return found.end() if found else position
