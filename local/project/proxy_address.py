"""AZURE_OPENAI_PROXY_ADDRESS: where the older proxy listened, taken as this one's default (no I/O).

Its form is that of Go's net.Listen: `host:port`, `[::1]:port`, or `:port` for every interface.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from local.errors import ConfigurationError

VARIABLE = "AZURE_OPENAI_PROXY_ADDRESS"
_ADDRESS = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.%]+)\]|(?P<host>[^\s:/\[\]]*)):(?P<port>\d{1,5})")
_EVERY_INTERFACE = "0.0.0.0"  # noqa: S104 - what a Go program means by an address without a host
_MAX_PORT = 65535


@dataclass(frozen=True, slots=True)
class ProxyAddress:
    """Host and port to listen on where the command line names none."""

    host: str
    port: int


DEFAULT_ADDRESS = ProxyAddress("127.0.0.1", 3000)


def proxy_address(text: str) -> ProxyAddress:
    """Return the address that `text`, the variable's value, names; the default for an empty one.

    Raises ConfigurationError for another text.
    """
    if not text.strip():
        return DEFAULT_ADDRESS
    found = _ADDRESS.fullmatch(text.strip())
    if found is None or int(found["port"]) > _MAX_PORT:
        raise ConfigurationError(
            f"{VARIABLE} must be host:port such as 127.0.0.1:8080, "
            f"with a port of 0 to {_MAX_PORT}, found {text!r}"
        )
    return ProxyAddress(found["v6"] or found["host"] or _EVERY_INTERFACE, int(found["port"]))
