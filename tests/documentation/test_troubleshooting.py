"""docs/troubleshooting.md quotes texts that exist: those that no test of this folder causes."""

from __future__ import annotations

import json
import re

from sluice.errors import SettingsError
from tests.child_environment import ROOT

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
SOURCES = "".join(
    path.read_text(encoding="utf-8")
    for pattern in ("local/**/*.py", "scripts/**/*.py", "scripts/**/*.mjs")
    for path in sorted(ROOT.glob(pattern))
)
OF_OTHERS = {
    "Unzipped size must be smaller",  # Lambda
    "'exec' is not recognized",  # Windows
    "No module named 'resource'",  # Python on Windows
}
JOINED = re.compile(r"""['"`]\s*\+?\s*f?['"`]|\$?\{[\w.()]*\}""")
"""Where the code continues a text, and where it fills in a value."""


def section(heading: str) -> str:
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def test_messages_of_start_and_packaging_are_those_of_the_code() -> None:
    table = re.findall(r"^\| `([^`]+)` \|", section("Start and packaging"), re.MULTILINE)
    assert len(table) > len(OF_OTHERS)
    assert set(table) >= OF_OTHERS
    plain = JOINED.sub("", SOURCES)
    for message in set(table) - OF_OTHERS:
        words = re.split(r"3\.11|requirements\.txt", message)
        assert all(part in plain for part in words), message


def test_symptoms_that_take_long_are_quoted_as_they_are_sent() -> None:
    assert '"Endpoint request timed out"' in section("29 seconds")
    assert '"Endpoint request timed out"' in SOURCES
    misconfigured = SettingsError("ANY", "must be set").document()["message"]
    assert json.dumps({"message": misconfigured})[1:-1] in section("500: misconfigured")


def test_every_symptom_of_the_table_has_its_section() -> None:
    table = PAGE.partition("\n## ")[0]
    linked = set(re.findall(r"\[([^]]+)\]\(#", table))
    headings = set(re.findall(r"^## (.+)$", PAGE, re.MULTILINE))
    assert linked == headings
