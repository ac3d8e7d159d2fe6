"""Write the table of docs/settings.md from the rows of sluice.settings: `npm run docs`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sluice.settings import ALL_SETTINGS, Setting

if TYPE_CHECKING:
    from collections.abc import Iterable

PROJECT = Path(__file__).parents[1]
PAGE = PROJECT / "docs" / "settings.md"
BEGIN, END = "<!-- settings -->\n", "<!-- /settings -->\n"
HEADER = ["| variable | default | meaning | where |", "|---|---|---|---|"]


def page_with(settings: Iterable[Setting[object]], page: str) -> str:
    """The page with the table of `settings` between its two marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    table = "\n".join([*HEADER, *map(_row, settings)])
    return f"{before}{BEGIN}{table}\n{END}{after}"


def _row(setting: Setting[object]) -> str:
    default = setting.unset or (f"`{setting.default}`" if setting.default else "")
    meaning = f"Secret. {setting.meaning}" if setting.is_secret else setting.meaning
    cells = [f"`{setting.name}`", default, meaning.removesuffix("."), setting.where]
    return "".join(f"| {cell} " if cell else "| " for cell in cells) + "|"


if __name__ == "__main__":
    PAGE.write_text(page_with(ALL_SETTINGS, PAGE.read_text("utf-8")), "utf-8")
