"""Work that runs after an answer was posted and before the next event is asked for.

A runtime may work on between its POST of the answer and its next GET: the caller already has the
answer, and the environment is neither frozen nor given another event.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html, "Processing tasks: Cleanup".
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ParamSpec

    P = ParamSpec("P")

_pending: list[Callable[[], object]] | None = None  # None: this runtime does not run the function


def after_response(function: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    """Call `function`, a plain one, once this invocation's answer has been posted.

    The invocation still lasts until the function returns: it is billed, it keeps this environment
    busy, and the function's timeout covers it. Several are called in order. An exception is logged
    and ends nothing else. Nothing is called when the handler itself raises.

    Where the handler runs without this runtime (a unit test, AWS's own client), the call is made
    at once.
    """
    if _pending is None:
        function(*args, **kwargs)
    else:
        _pending.append(lambda: function(*args, **kwargs))


def begin() -> None:
    """Forget what an earlier invocation left, and gather from here on (the invoke loop's part)."""
    global _pending  # noqa: PLW0603 -- a process serves one invocation at a time, so does this list
    _pending = []


def run_pending(report: Callable[[BaseException], None]) -> None:
    """Call what was gathered, and what that adds, giving each exception to `report`."""
    while _pending:
        function = _pending.pop(0)
        try:
            _call(function)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 -- the author's code: log and go on
            report(error)


def _call(function: Callable[[], object]) -> None:
    result = function()
    if hasattr(result, "__await__"):
        if hasattr(result, "close"):
            result.close()
        raise TypeError("after_response calls plain functions, and was given an async one")
