"""docs/deploy.md and what its tests compare it with."""

from __future__ import annotations

import re

import yaml

from tests.packaging.packaged_service import CHECKOUT

DOCUMENT = (CHECKOUT / "docs" / "deploy.md").read_text(encoding="utf-8")
SERVERLESS_YML = (CHECKOUT / "serverless.yml").read_text(encoding="utf-8")
SERVICE = yaml.safe_load(SERVERLESS_YML.replace("!Ref ", ""))
PARAMS = SERVICE["params"]["default"]


def rows() -> set[tuple[str, ...]]:
    """Every row of every table, its cells without marks of emphasis."""
    lines = re.findall(r"^\|(.+)\|$", DOCUMENT, re.MULTILINE)
    return {tuple(cell.strip().replace("*", "") for cell in line.split("|")) for line in lines}
