"""SnapStart: hooks before the snapshot is taken and after it has been restored.

Hooks are those that a function registered with the package snapshot_restore_py, which AWS's
runtimes hold. https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    Hook = tuple[Callable[..., object], tuple[Any, ...], dict[str, Any]]

BEFORE_SNAPSHOT_EXIT = 64  # the exit codes of AWS's own client
AFTER_RESTORE_EXIT = 65


def is_snapstart(environ: Mapping[str, str]) -> bool:
    return environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start"


def run_before_snapshot() -> None:
    """Call the hooks, the one registered last first; their exceptions pass through."""
    _call(reversed(_registered("get_before_snapshot")))


def run_after_restore() -> None:
    """Call the hooks in the order they were registered; their exceptions pass through."""
    _call(_registered("get_after_restore"))


def _registered(getter: str) -> list[Hook]:
    """None where the function has not even imported the package."""
    package = sys.modules.get("snapshot_restore_py")
    return list(getattr(package, getter)()) if package else []


def _call(hooks: Iterable[Hook]) -> None:
    for function, args, kwargs in hooks:
        function(*args, **kwargs)
