"""What the runtime layer adds to a cold start: from exec until the first event is asked for.

That is the part of Lambda's init phase which this project decides on. A bare Python is the
reference: its start is paid by any function. The layer is measured as it is shipped (with bytecode)
and as it is on a machine without the functions' Python; in neither is anything written, as in /opt.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measurement.child_process import Cost, cost_until, cost_until_exit, first_request
from bench.measurement.machine import CHECKOUT, origin
from scripts.build_layers import build_layers, compile_layers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

STARTS = 20  # of each kind, in turns, so that a busy moment of the machine meets all kinds
LARGEST_OVERHEAD_MS = 40  # CPU above the reference, with bytecode: the goal
HANDLER = "def handler(event, context):\n    return None\n"
ASKS_FOR_EVENT = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n"

# Not .venv's link: Lambda's Python is no virtual environment, and finding out costs time.
PYTHON = os.path.realpath(sys.executable)


@dataclass(frozen=True, slots=True)
class Row:
    """A kind of start, with the medians of its costs."""

    name: str
    cost: Cost


def report() -> str:
    with tempfile.TemporaryDirectory() as folder:
        starts = _kinds_of_start(Path(folder))
        costs: dict[str, list[Cost]] = {name: [] for name in starts}
        for _ in range(STARTS):
            for name, start in starts.items():
                costs[name].append(start())
    return _page([Row(name, _median(measured)) for name, measured in costs.items()])


def _kinds_of_start(folder: Path) -> Mapping[str, Callable[[], Cost]]:
    (folder / "app.py").write_text(HANDLER, encoding="utf-8")
    layers = {name: _layers(folder / name) for name in ("compiled", "plain")}
    compile_layers(layers["compiled"], PYTHON)
    return {
        "`python -S -E -c pass`, the reference": lambda: cost_until_exit(
            [PYTHON, "-S", "-E", "-c", "pass"], {}
        ),
        "runtime layer with bytecode": lambda: _start(layers["compiled"] / "runtime", folder),
        "runtime layer without bytecode": lambda: _start(layers["plain"] / "runtime", folder),
    }


def _layers(output: Path) -> Path:
    nothing = output.with_suffix(".packages")
    nothing.mkdir()
    build_layers(CHECKOUT / "layers", output, nothing)
    return output


def _start(layer: Path, task_root: Path) -> Cost:
    with first_request() as event:
        environ = {
            "PATH": os.defpath,
            "AWS_LAMBDA_RUNTIME_API": event.address,
            "LAMBDA_TASK_ROOT": str(task_root),
            "_HANDLER": "app.handler",
            "PYTHONDONTWRITEBYTECODE": "1",  # as where nothing can be written
        }
        command = [str(layer / "bootstrap"), PYTHON, "/var/runtime/bootstrap.py"]
        return cost_until(command, environ, lambda: event.wait(ASKS_FOR_EVENT))


def _median(costs: list[Cost]) -> Cost:
    return Cost(
        statistics.median(cost.cpu_ms for cost in costs),
        statistics.median(cost.wall_ms for cost in costs),
    )


def _page(rows: list[Row]) -> str:
    reference = rows[0].cost
    lines = [
        "# Cold start of the runtime layer\n",
        "From exec of `bootstrap` until its first `GET …/next` arrives, for a handler without"
        f" imports: medians of {STARTS} starts of each kind, taken in turns, in milliseconds. CPU is"
        f" user and system time. The goal is at most {LARGEST_OVERHEAD_MS} ms of CPU above the reference.\n",
        "| start | CPU | above | ratio | wall | above | ratio |",
        "|---|---:|---:|---:|---:|---:|---:|",
        *(_line(row, reference) for row in rows),
        "",
        origin(platform.python_version()),
    ]
    return "\n".join(lines)


def _line(row: Row, reference: Cost) -> str:
    cells = [row.name]
    pairs = ((row.cost.cpu_ms, reference.cpu_ms), (row.cost.wall_ms, reference.wall_ms))
    for value, base in pairs:
        cells += [f"{value:.1f}", f"{value - base:.1f}", f"{value / base:.2f}"]
    return f"| {' | '.join(cells)} |"
