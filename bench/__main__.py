"""Run benches and store their results: `npm run bench`, `npm run bench -- as-deployed`.

A bench is a module of this folder. Its `report(plan)` measures and returns a page. The page is
printed and written to bench/results/.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measurement.machine import CHECKOUT
from bench.measurement.plan import QUICK, Plan
from bench.subjects.installation import install

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.measurement.page import Page

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results"
SHARED_LAYER = CHECKOUT / "layers" / "shared" / "python"


def benches() -> list[str]:
    modules = pkgutil.iter_modules([str(FOLDER)])
    return sorted(m.name for m in modules if not m.ispkg and m.name != "__main__")


def main(arguments: Sequence[str]) -> int:
    chosen = _parser().parse_args(arguments)
    if not hasattr(os, "sched_setaffinity"):
        _parser().error(
            "benches require Linux: they read /proc and assign a processor to each process"
        )
    if chosen.install_peers:
        return _install()
    sys.path.append(str(SHARED_LAYER))  # home of the delivery code, which runs in this process
    names = [name.replace("-", "_") for name in chosen.names] or benches()
    if unknown := sorted(set(names) - set(benches())):
        _parser().error(f"unknown: {', '.join(unknown)}. Benches: {', '.join(benches())}.")
    for name in names:
        page: Page = importlib.import_module(f"bench.{name}").report(
            QUICK if chosen.quick else Plan()
        )
        sys.stdout.write(page.markdown)
        if not chosen.quick:
            _keep(name, page)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="npm run bench --", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(benches())}")
    quick = "take a tenth of the measurements, to see that a bench works; write no results"
    parser.add_argument("--quick", action="store_true", help=quick)
    peers = "install the peers to compare with into bench/.peers, and exit"
    parser.add_argument("--install-peers", action="store_true", help=peers)
    return parser


def _install() -> int:
    failures = install()
    sys.stderr.writelines(f"{failure}\n" for failure in failures)
    return 1 if failures else 0


def _keep(name: str, page: Page) -> None:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(page.markdown, encoding="utf-8")
    if page.picture:
        (RESULTS / f"{name}.svg").write_text(page.picture, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
