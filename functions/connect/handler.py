"""$connect: let a client in, or not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from sluice.key_ring import KeyRing
from sluice.settings import read_settings
from sluice.ssm_parameter import read_parameter
from sluice.websocket_admission import admit
from sluice.websocket_events import parse_connect

if TYPE_CHECKING:
    from awslambda.context import LambdaContext

settings = read_settings(os.environ)
forward_keys = KeyRing(settings.forward_keys, read_parameter)


def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    return admit(parse_connect(event), settings, forward_keys)
