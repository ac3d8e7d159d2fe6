"""Segment documents as functions send them to the X-Ray daemon (no I/O).

https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html
https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

_HEADER = {"format": "json", "version": 1}
_ID = re.compile(r"[0-9a-f]{16}")
_TRACE_ID = re.compile(r"1-[0-9a-f]{8}-[0-9a-f]{24}")
_FLAGS = ("throttle", "error", "fault")


class InvalidDocumentError(Exception):
    """A datagram that the daemon or X-Ray would drop."""


@dataclass(frozen=True, slots=True)
class Document:
    """One subsegment. Times are Unix times, in seconds."""

    trace_id: str
    id: str
    parent_id: str
    name: str
    began: float
    ended: float
    facts: Mapping[str, object]
    """What else it says: annotations, metadata, the operation of an AWS API."""
    flags: tuple[str, ...] = ()
    """throttle, error or fault."""


def read_datagram(data: bytes) -> Document:
    """Return the document in one datagram; raises InvalidDocumentError."""
    header, _, body = data.partition(b"\n")
    if _object(header, "the header") != _HEADER:
        raise InvalidDocumentError(f"the header must be {json.dumps(_HEADER)}")
    document = _object(body, "the document")
    began, ended = (_time(document, name) for name in ("start_time", "end_time"))
    if ended < began:
        raise InvalidDocumentError("end_time is before start_time")
    return Document(
        trace_id=_matching(document, "trace_id", _TRACE_ID),
        id=_matching(document, "id", _ID),
        parent_id=_matching(document, "parent_id", _ID),
        name=_matching(document, "name", re.compile(".{1,200}")),
        began=began,
        ended=ended,
        facts=_facts(document),
        flags=tuple(flag for flag in _FLAGS if document.get(flag) is True),
    )


def _object(data: bytes, what: str) -> dict[str, object]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidDocumentError(f"{what} is not JSON") from error
    if not isinstance(found, dict):
        raise InvalidDocumentError(f"{what} is not an object")
    return found


def _matching(document: Mapping[str, object], name: str, pattern: re.Pattern[str]) -> str:
    value = document.get(name)
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise InvalidDocumentError(f"{name} must match {pattern.pattern} (got {value!r:.80})")
    return value


def _time(document: Mapping[str, object], name: str) -> float:
    value = document.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidDocumentError(f"{name} must be a number of seconds (got {value!r:.80})")
    return float(value)


def _facts(document: Mapping[str, object]) -> dict[str, object]:
    metadata = _part(document, "metadata")
    in_metadata = [_part(metadata, name) for name in metadata]
    http = _part(document, "http")
    groups = (
        {name: value for name, value in _part(document, "aws").items() if name == "operation"},
        _part(http, "request"),
        _part(http, "response"),
        _part(document, "annotations"),
        *in_metadata,
    )
    return {name: value for group in groups for name, value in group.items()}


def _part(document: Mapping[str, object], name: str) -> dict[str, object]:
    value = document.get(name)
    return value if isinstance(value, dict) else {}
