"""What a limit of open files leaves room for (no I/O).

The functions post to @connections by connections of their own. If clients and processes took every
descriptor, those posts would wait for clients that wait for them.
"""

from __future__ import annotations

from dataclasses import dataclass

from local.limits import DESCRIPTORS_PER_PROCESS


@dataclass(frozen=True, slots=True)
class OpenFiles:
    """The soft limit of this process: half of it is for processes, a quarter for WebSockets."""

    limit: int

    def processes(self, functions: int) -> int:
        """Return how many processes each of the functions may have."""
        return max(1, self.limit // 2 // DESCRIPTORS_PER_PROCESS // max(1, functions))

    def websockets(self) -> int:
        """Return how many WebSockets may be open."""
        return self.limit // 4

    def note(self, functions: int, concurrency: int) -> str:
        """Return what the limit costs the user, "" if it allows `concurrency` processes."""
        processes = self.processes(functions)
        if processes >= concurrency:
            return ""
        return (
            f"This process may open {self.limit} files, so that a function has {processes} "
            f"processes at most, and {self.websockets()} WebSockets may be open. "
            "Raise the limit with ulimit -n 4096."
        )
