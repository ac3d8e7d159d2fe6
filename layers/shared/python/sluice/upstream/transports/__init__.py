"""Transports that a setting may choose instead of http.transport, and what each of them must do."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from sluice.http.connection import Opening
    from sluice.http.transport import HttpRequest, Tenant, Waits
    from sluice.stop_signal import StopSignal

    class Reply(Protocol):
        """See HttpReply."""

        @property
        def status(self) -> int: ...
        @property
        def headers(self) -> dict[str, str]: ...
        @property
        def opening(self) -> Opening | None: ...
        def wait_for_body(self) -> None: ...
        def read(self, max_wait_s: float | None = None) -> bytes: ...
        def close(self) -> None: ...

    class Transport(Protocol):
        """See HttpTransport. What fails raises the TransportErrors of http.transport."""

        def send(
            self, request: HttpRequest, waits: Waits, stop: StopSignal | None = None
        ) -> Reply: ...
        def open_ahead(self, url: str, timeout_s: float, tenant: Tenant = ()) -> None: ...
        def close(self) -> None: ...
