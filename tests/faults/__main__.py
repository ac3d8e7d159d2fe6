"""A long fault campaign: `npm run faults -- --seconds 600`.

A seed always makes the same cases; `--only NUMBER` repeats one of them, which a finding names.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "layers" / "shared" / "python"))

from tests.faults.campaign import Plan, run
from tests.faults.table import FAULTS, KILLS

KILL_SHARE = 20
"""How many more kills than other faults a campaign for kills has."""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="npm run faults --", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="duration (default: 60)")
    kills = "functions to kill at least; then each answer has a key with a budget"
    parser.add_argument("--kills", type=int, default=0, metavar="NUMBER", help=kills)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))  # noqa: S311
    parser.add_argument("--only", type=int, nargs="*", default=(), help="numbers of cases")
    parser.add_argument("--part", default="", help="only faults whose line contains this text")
    parser.add_argument("--set", nargs="*", default=(), metavar="NAME=VALUE", help="settings")
    parser.add_argument("--log", type=Path, help="file for what the stack prints")
    chosen = parser.parse_args(arguments)
    faults = tuple(fault for fault in FAULTS if chosen.part in str(fault))
    if not faults:
        parser.error(f"no fault contains {chosen.part!r}")
    settings = dict(text.split("=", 1) for text in chosen.set)
    if chosen.kills:
        faults += KILLS * KILL_SHARE
    plan = Plan(chosen.seed, chosen.seconds, faults, chosen.only, settings, chosen.kills)
    tally = asyncio.run(run(plan))
    if chosen.log:
        chosen.log.write_text("\n".join(tally.output), encoding="utf-8")
    total = sum(tally.verdicts.values())
    sys.stdout.write(f"{tally.table(faults)}\n\n{total} answers with seed {chosen.seed}\n\n")
    if chosen.kills:
        sys.stdout.write(f"{tally.charges()}\n\n")
    sys.stdout.write(f"{tally.summary()}\n")
    return 1 if tally.findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
