"""Check what is about to be deployed: `python -m scripts.deployed_settings < settings.json`.

The variables come as one JSON object. A wrong one is named on stderr, and the exit code is 1.
Otherwise the values of those that only a deployment reads are printed, defaults included.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "layers" / "shared" / "python"))

from sluice.errors import SettingsError
from sluice.settings import ALL_SETTINGS, DEPLOY, LOCAL, read_settings
from sluice.upstream.targets import read_targets


def check(variables: dict[str, object]) -> dict[str, object]:
    """Check them as the functions will. Raises SettingsError. Returns what only a deployment reads.

    Values that CloudFormation fills in are objects, and pass. FORWARD_KEY is not deployed, but
    what is in the shell is likely what its parameter holds.
    """
    known = {"FORWARD_KEY"} | {row.name for row in ALL_SETTINGS if row.where != LOCAL}
    texts = {name: v for name, v in variables.items() if name in known and isinstance(v, str)}
    values = {row: row.read(texts) for row in ALL_SETTINGS}
    # Lambda tells a function its region.
    read_targets({**texts, "AWS_REGION": "us-east-1"}, read_settings(texts))
    return {row.name: value for row, value in values.items() if row.where == DEPLOY}


def main() -> int:
    try:
        options = check(json.load(sys.stdin))
    except SettingsError as error:
        sys.stderr.write(f"{error.message}\n")
        return 1
    sys.stdout.write(json.dumps(options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
