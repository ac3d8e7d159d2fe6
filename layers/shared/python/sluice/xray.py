"""Sends the parts of one request to X-Ray, as subsegments of the segment that Lambda makes.

AWS's SDK takes 0.3 s of processor time to import. Import this module after an answer only.
https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html
"""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

from aws_xray_sdk.core import xray_recorder
from aws_xray_sdk.core.models.facade_segment import FacadeSegment
from aws_xray_sdk.core.models.subsegment import Subsegment

from sluice.errors import ConnectionGone, SluiceError, UpstreamRefused
from sluice.named_tuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

IDS = r"1-[0-9a-f]{8}-[0-9a-f]{24} [0-9a-f]{16}"
"""The id of a trace and of the segment in it, in the form that X-Ray requires."""
MAX_TEXT = 250
"""Maximum length of a text: X-Ray's limit."""
SHORTEST_S = 0.000_001
"""Minimum length of a part, in seconds: its end must be after its begin."""
GONE = 410
"""The HTTP status of a client that has disconnected: an error, and no fault of the gateway."""
STORE, CONNECTION, UPSTREAM, DELIVERY = "store", "connection", "upstream", "delivery"
TABLES = {STORE: "STATE_TABLE", "cache": "CACHE_TABLE"}
"""The settings that name the table of a part's calls, where there is one."""
TOKENS = {
    "input_tokens": ("input_tokens", "prompt_tokens"),
    "output_tokens": ("output_tokens", "completion_tokens"),
}
"""The annotations with token counts, and what providers call these counts."""
OF_UPSTREAM = ("provider", "model", "time_to_first_byte_ms")
OF_ANSWER = ("deployment", "upstream_request_id", "retries")
OF_DELIVERY = ("transport", "kind", "outcome")
OF_DELIVERY_UNINDEXED = ("bytes", "chunks", "frames", "joined_deltas")


class Part(NamedTuple):
    """One part of a request. Times are Unix times, in seconds."""

    name: str
    began: float
    ended: float
    facts: Mapping[str, Any]
    error: BaseException | None


def send_parts(
    trace_id: str, segment_id: str, parts: Sequence[Part], request: Mapping[str, Any]
) -> None:
    """Send the parts below a segment. request: the facts of the request's log line."""
    if re.fullmatch(IDS, f"{trace_id} {segment_id}") is None:
        return
    segment = FacadeSegment("lambda", segment_id, trace_id, sampled=True)
    upstreams = [part for part in parts if part.name == UPSTREAM]
    subsegments = {id(part): Subsegment(part.name, _namespace(part), segment) for part in parts}
    for part in parts:
        subsegment = subsegments[id(part)]
        around = next((each for each in upstreams if _is_within(part, each)), None)
        subsegment.parent_id = segment_id if around is None else subsegments[id(around)].id
        subsegment.start_time = part.began
        is_answer = bool(upstreams) and part is upstreams[-1]
        for name, value in _annotations(part, request, is_answer=is_answer).items():
            subsegment.put_annotation(name, value[:MAX_TEXT] if isinstance(value, str) else value)
        for name, value in _metadata(part, request).items():
            subsegment.put_metadata(name, value)
        subsegment.set_aws(_aws(part))
        _put_http(subsegment, part)
        subsegment.close(max(part.ended, part.began + SHORTEST_S))
        xray_recorder.emitter.send_entity(subsegment)


def _is_within(part: Part, upstream: Part) -> bool:
    """Whether a connection was opened by this request to the upstream, and not ahead of it."""
    return part.name == CONNECTION and upstream.began <= part.began <= upstream.ended


def _namespace(part: Part) -> str | None:
    if part.name == UPSTREAM:
        return "remote"
    return "aws" if _aws(part) else None


def _aws(part: Part) -> dict[str, str]:
    """The operation of an AWS API; empty for the others, such as a store in a file."""
    operation = part.facts.get("operation")
    is_in_table = part.name in TABLES
    table = os.environ.get(TABLES[part.name], "") if is_in_table else ""
    if operation is None or (is_in_table and (not table or os.environ.get("STATE_FILE"))):
        return {}
    named = {"table_name": table} if is_in_table else {}
    return {"operation": operation, "region": os.environ.get("AWS_REGION", ""), **named}


def _annotations(part: Part, request: Mapping[str, Any], *, is_answer: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if part.name == UPSTREAM:
        found = _chosen(part.facts, OF_UPSTREAM)
        found["status"] = _status(part)
    if is_answer:
        usage = request.get("usage") or {}
        found |= _chosen(request, OF_ANSWER)
        found["key_name"] = request.get("principal")
        for name, theirs in TOKENS.items():
            found[name] = next((usage[each] for each in theirs if each in usage), None)
    if part.name == DELIVERY:
        found = _chosen(request, OF_DELIVERY)
    if part.error is not None:
        found["error"] = getattr(part.error, "code", type(part.error).__name__)
    return {name: value for name, value in found.items() if value is not None}


def _metadata(part: Part, request: Mapping[str, Any]) -> dict[str, Any]:
    """What X-Ray need not index."""
    found = _chosen(part.facts, ("calls", "tcp_ms", "tls_ms"))
    return found | (_chosen(request, OF_DELIVERY_UNINDEXED) if part.name == DELIVERY else {})


def _put_http(subsegment: Subsegment, part: Part) -> None:
    """The HTTP exchange, without path and query, and whether it failed: error, fault, throttle."""
    if "url" in part.facts:
        url = urlsplit(part.facts["url"])
        origin = f"{url.scheme}://{url.netloc.rpartition('@')[2]}"
        subsegment.put_http_meta("url", origin[:MAX_TEXT])
        subsegment.put_http_meta("method", part.facts["method"])
    subsegment.put_http_meta("status", _status(part))
    if isinstance(part.error, ConnectionGone):
        subsegment.apply_status_code(GONE)
    elif isinstance(part.error, SluiceError):
        subsegment.apply_status_code(part.error.http_status)
    elif part.error is not None:
        subsegment.add_fault_flag()


def _status(part: Part) -> int | None:
    """The status of the reply, if there was one."""
    if isinstance(part.error, UpstreamRefused):
        return part.error.reply_status
    status: int | None = part.facts.get("status")
    return status


def _chosen(facts: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: facts[name] for name in names if name in facts}
