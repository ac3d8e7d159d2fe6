"""AZURE_OPENAI_PROXY_ADDRESS: the older proxy's address, used as the default here (no I/O).

Its format is that of Go's net.Listen: `host:port`, `[::1]:port`, or `:port` for every interface.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from local.errors import ConfigurationError

VARIABLE = "AZURE_OPENAI_PROXY_ADDRESS"
_ADDRESS = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.%]+)\]|(?P<host>[^\s:/\[\]]*)):(?P<port>\d{1,5})")
_EVERY_INTERFACE = "0.0.0.0"  # noqa: S104 - Go's meaning of an address without a host
_MAX_PORT = 65535


@dataclass(frozen=True, slots=True)
class ProxyAddress:
    """Default host and port to listen on."""

    host: str
    port: int


DEFAULT_ADDRESS = ProxyAddress("127.0.0.1", 3000)


def proxy_address(text: str) -> ProxyAddress:
    """Return the address in `text`, the variable's value, or the default if it is empty.

    Raises ConfigurationError.
    """
    if not text.strip():
        return DEFAULT_ADDRESS
    found = _ADDRESS.fullmatch(text.strip())
    if found is None or int(found["port"]) > _MAX_PORT:
        raise ConfigurationError(
            f"{VARIABLE} must be host:port, for example 127.0.0.1:8080, "
            f"with a port of 0 to {_MAX_PORT} (got {text!r})."
        )
    return ProxyAddress(found["v6"] or found["host"] or _EVERY_INTERFACE, int(found["port"]))
