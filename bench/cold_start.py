"""What the runtime layer adds to a cold start: from exec until the first event is asked for.

That is the part of Lambda's init phase which this project decides on. A bare Python is the
reference: its start is paid by any function. The layer is measured as it is shipped (with bytecode)
and as it is on a machine without the functions' Python; in neither is anything written, as in /opt.
"""

from __future__ import annotations

import os
import platform
import statistics
import tempfile
import venv
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
INTRODUCTION = f"""# Cold start of the runtime layer

From exec of `bootstrap` until its first `GET …/next` arrives, for a handler without imports, in
milliseconds: medians of {STARTS} starts of each kind, taken in turns. CPU is user and system time.
The goal is at most {LARGEST_OVERHEAD_MS} ms of CPU above the reference.
"""
HANDLER = "def handler(event, context):\n    return None\n"
ASKS_FOR_EVENT = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n"


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
    python = _bare_python(folder / "bare")
    compiled, plain = _layers(folder / "compiled"), _layers(folder / "plain")
    compile_layers(compiled, python)
    reference = [python, "-S", "-E", "-c", "pass"]
    return {
        "`python -S -E -c pass`, the reference": lambda: cost_until_exit(reference, {}),
        "runtime layer with bytecode": lambda: _start(python, compiled / "runtime", folder),
        "runtime layer without bytecode": lambda: _start(python, plain / "runtime", folder),
    }


def _bare_python(folder: Path) -> str:
    """This Python with nothing installed, as Lambda's: a .pth file of a package can cost 30 ms."""
    venv.create(folder, symlinks=True)
    return str(folder / "bin" / "python")


def _layers(output: Path) -> Path:
    nothing = output.with_suffix(".packages")
    nothing.mkdir()
    build_layers(CHECKOUT / "layers", output, nothing)
    return output


def _start(python: str, layer: Path, task_root: Path) -> Cost:
    with first_request() as event:
        environ = {
            "PATH": os.defpath,
            "AWS_LAMBDA_RUNTIME_API": event.address,
            "LAMBDA_TASK_ROOT": str(task_root),
            "_HANDLER": "app.handler",
            "PYTHONDONTWRITEBYTECODE": "1",  # as where nothing can be written
        }
        command = [str(layer / "bootstrap"), python, "/var/runtime/bootstrap.py"]
        return cost_until(command, environ, lambda: event.wait(ASKS_FOR_EVENT))


def _median(costs: list[Cost]) -> Cost:
    return Cost(
        statistics.median(cost.cpu_ms for cost in costs),
        statistics.median(cost.wall_ms for cost in costs),
    )


def _page(rows: list[Row]) -> str:
    lines = [
        INTRODUCTION,
        "| start | CPU | above | ratio | wall | above | ratio |",
        "|---|---:|---:|---:|---:|---:|---:|",
        *(_line(row, rows[0].cost) for row in rows),
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
