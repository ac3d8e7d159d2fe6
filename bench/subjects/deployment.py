"""Functions as users deploy them: keys in SSM, the state table, everything over TLS.

Each trusts the run's own authority in the way that its client has for that: ours by one more
certificate in the layer's folder, Node.js by NODE_EXTRA_CA_CERTS, boto3 and requests by a bundle
of all authorities and this one.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.subjects.installation import LAMBDA_PYTHON
from bench.subjects.runtimes import Start, bundled_node_runtime, stock_runtime
from bench.traffic.cloud import (
    CLIENT_KEY,
    CLIENT_PARAMETER,
    PROVIDER_KEY,
    PROVIDER_PARAMETER,
)
from bench.traffic.function_events import connect_event, url_event
from bench.traffic.model_stream import STAMP, StreamShape

if TYPE_CHECKING:
    from bench.subjects.packaged import PackagedService
    from bench.traffic.cloud import Cloud

STREAM, STREAM_PLAIN = "`stream`, as deployed", "`stream`, plain variables"
CONNECT, CONNECT_PLAIN = "`connect`, as deployed", "`connect`, plain variables"
NODE, STOCK = "Node.js client, `client-ssm`", "stock Python client, boto3"
ONE_CHUNK = StreamShape(1, 250, 0)
ADMITTED = re.compile(rb'"statusCode": ?200\b')
STOCK_HANDLER = Path(__file__).with_name("stock_handler.py")


@dataclass(frozen=True, slots=True)
class Subject:
    """A function and its first event. text: what a right answer begins with."""

    start: Start
    event: bytes
    text: re.Pattern[bytes]


def subjects(folder: Path, service: PackagedService, cloud: Cloud) -> dict[str, Subject | None]:
    """By name; None for a peer that is not installed."""
    chat = url_event(ONE_CHUNK, CLIENT_KEY)
    starts = {
        STREAM: service.start("stream", deployed(cloud)),
        STREAM_PLAIN: service.start("stream", plain(cloud)),
        NODE: bundled_node_runtime(folder, _peer(cloud)),
        STOCK: _stock(folder, cloud),
    }
    found = {name: Subject(start, chat, STAMP) if start else None for name, start in starts.items()}
    for name, environ in ((CONNECT, deployed(cloud)), (CONNECT_PLAIN, plain(cloud))):
        start = service.start("connect", environ)
        found[name] = Subject(start, connect_event(CLIENT_KEY), ADMITTED)
    return found


def deployed(cloud: Cloud) -> dict[str, str]:
    """What differs from the packaged settings: addresses, and clients with a forward key."""
    return {
        "OPENAI_BASE_URL": cloud.provider,
        "FUNCTION_URL_AUTH": "none",
        "WEBSOCKET_AUTH": "forward_key",
        "OPENAI_API_KEY_PARAMETER": PROVIDER_PARAMETER,
        "FORWARD_KEY_PARAMETER": CLIENT_PARAMETER,
        **_account(cloud),
    }


def plain(cloud: Cloud) -> dict[str, str]:
    """The same, with the keys in variables."""
    return {
        **deployed(cloud),
        "OPENAI_API_KEY": PROVIDER_KEY,
        "FORWARD_KEY": CLIENT_KEY,
        "OPENAI_API_KEY_PARAMETER": "",
        "FORWARD_KEY_PARAMETER": "",
    }


def _stock(folder: Path, cloud: Cloud) -> Start | None:
    shutil.copy(STOCK_HANDLER, folder)
    return stock_runtime(folder, "stock_handler.handler", _peer(cloud), client=LAMBDA_PYTHON)


def _peer(cloud: Cloud) -> dict[str, str]:
    return {
        "OPENAI_BASE_URL": cloud.provider,
        "OPENAI_API_KEY_PARAMETER": PROVIDER_PARAMETER,
        **_account(cloud),
        "NODE_EXTRA_CA_CERTS": str(cloud.authority),
        "AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED": "true",  # Lambda's Node.js is newer
        "AWS_CA_BUNDLE": str(cloud.bundle),
        "REQUESTS_CA_BUNDLE": str(cloud.bundle),
    }


def _account(cloud: Cloud) -> dict[str, str]:
    """Lambda's credentials come with a session token."""
    return {"AWS_ENDPOINT_URL": cloud.aws, "AWS_SESSION_TOKEN": "local"}
