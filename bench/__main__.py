"""Run benches and keep what they measured: `npm run bench`, `npm run bench -- cold_start`.

A bench is a module of this folder. Its `report()` measures and returns a page of Markdown, which is
printed and written to bench/results/.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results"


def benches() -> list[str]:
    modules = pkgutil.iter_modules([str(FOLDER)])
    return sorted(m.name for m in modules if not m.ispkg and m.name != "__main__")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="npm run bench --", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(benches())}")
    names = parser.parse_args(arguments).names or benches()
    if unknown := sorted(set(names) - set(benches())):
        parser.error(f"expected names of {', '.join(benches())}, found {', '.join(unknown)}")
    RESULTS.mkdir(exist_ok=True)
    for name in names:
        page: str = importlib.import_module(f"bench.{name}").report()
        (RESULTS / f"{name}.md").write_text(page, encoding="utf-8")
        sys.stdout.write(page)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
