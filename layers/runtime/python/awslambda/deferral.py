"""Work that runs after the answer was posted and before the next event is requested.

A runtime may keep working between its POST of the answer and its next GET: the caller already has
the answer, and Lambda neither freezes the environment nor sends another event.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html, "Processing tasks: Cleanup".
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ParamSpec

    P = ParamSpec("P")

_pending: list[Callable[[], object]] | None = None  # None outside this runtime


def after_response(function: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    """Call `function`, which must not be async, once this invocation's answer was posted.

    The invocation lasts until the function returns: it is billed, it keeps this environment busy,
    and the function's timeout covers it. Calls run in order. An exception is logged; later calls
    still run. If the handler itself raises, no call runs.

    Without this runtime (a unit test, AWS's own client), the call runs at once.
    """
    if _pending is None:
        function(*args, **kwargs)
    else:
        _pending.append(lambda: function(*args, **kwargs))


def begin() -> None:
    """Drop what an earlier invocation left and start collecting. The invoke loop calls this."""
    global _pending  # noqa: PLW0603 -- a process serves one invocation at a time
    _pending = []


def run_pending(report: Callable[[BaseException], None]) -> None:
    """Run the collected calls and those they add; pass each exception to `report`."""
    while _pending:
        function = _pending.pop(0)
        try:
            _call(function)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 -- the function's code may raise anything
            report(error)


def _call(function: Callable[[], object]) -> None:
    result = function()
    if hasattr(result, "__await__"):
        close = getattr(result, "close", None)
        if close:
            close()
        raise TypeError("after_response requires a plain function (got an async one)")
