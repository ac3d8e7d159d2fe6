"""SnapStart: hooks before the snapshot and after the restore.

The function registers its hooks with the package snapshot_restore_py, which AWS's runtimes include.
https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html
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
    """Call the hooks, last registered first; their exceptions pass through."""
    _call(reversed(_registered("get_before_snapshot")))


def run_after_restore() -> None:
    """Call the hooks in the order of registration; their exceptions pass through."""
    _call(_registered("get_after_restore"))


def _registered(getter: str) -> list[Hook]:
    """The registered hooks; none if the function has not imported the package."""
    package = sys.modules.get("snapshot_restore_py")
    return list(getattr(package, getter)()) if package else []


def _call(hooks: Iterable[Hook]) -> None:
    for function, args, kwargs in hooks:
        function(*args, **kwargs)
