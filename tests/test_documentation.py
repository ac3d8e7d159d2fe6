"""The pages name what exists: files, headings, commands and modules."""

from __future__ import annotations

import json
import re
from pathlib import Path

from local.project.known_variables import KNOWN
from sluice.settings import DEFAULT_MODEL
from sluice.upstream.providers.azure import DEFAULT_MAPPER

ROOT = Path(__file__).parents[1]
PAGES = {
    page: page.read_text(encoding="utf-8")
    for pattern in ("*.md", "docs/*.md", "examples/*/README.md", "bench/results/*.md")
    for page in sorted(ROOT.glob(pattern))
}
LINK = re.compile(r"\]\((?![a-z]+:)([^)#\s]*)(?:#([^)\s]+))?\)")
MODEL = re.compile(r"\bgpt-\d[\w.]*(?:-[a-z]+)?")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
COMMANDS = re.compile(r"^```(?:sh|powershell)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    return {
        re.sub(r"[^\w -]", "", found.lower()).replace(" ", "-") for found in HEADING.findall(text)
    }


def test_links_lead_to_files_and_headings() -> None:
    for page, text in PAGES.items():
        for name, anchor in LINK.findall(text):
            target = (page.parent / name).resolve() if name else page
            assert target.exists(), f"{page.name} links to {name}"
            assert not anchor or anchor in anchors(PAGES[target]), f"{page.name}: #{anchor}"


def test_migrate_names_every_known_variable_of_another_gateway() -> None:
    page = PAGES[ROOT / "docs" / "migrate.md"]
    for entry in KNOWN:
        is_listed = entry.system in ("openai-forward", "azure-openai-proxy") or not entry.is_shared
        for name in entry.names.split() if entry.system and is_listed else ():
            if name.isidentifier() and "SDK" not in entry.system:
                assert f"`{name}`" in page, name


def test_npm_scripts_exist() -> None:
    scripts = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["scripts"]
    for page, text in PAGES.items():
        named = set(re.findall(r"npm run ([a-z][\w:-]*)", text))
        assert named <= scripts.keys(), page.name


def test_pages_name_the_default_model() -> None:
    """docs/clients.md shows the examples. Azure's users still have deployments of older models."""
    for page, text in PAGES.items():
        assert set(MODEL.findall(text)) <= {DEFAULT_MODEL, *DEFAULT_MAPPER}, page.name


def test_options_of_a_script_stand_where_npm_passes_them_on() -> None:
    """`npm run smoke --stage=prod` would check dev: npm takes the option for its own."""
    for page, text in PAGES.items():
        for command in re.findall(r"npm (?:run [\w:-]+|start|test)\b[^`#\n]*", text):
            assert "--" not in command or " -- " in command, f"{page.name}: {command}"


def test_commands_to_copy_have_no_comments() -> None:
    """zsh, the shell of macOS, passes `# and so on` to the command, or takes # for a command."""
    for page, text in PAGES.items():
        for block in COMMANDS.findall(text):
            unquoted = re.sub(r"'[^']*'|\"[^\"]*\"", "", block).removeprefix("#!/bin/sh")
            assert not re.search(r"(?:^|\s)#", unquoted), f"{page.name}: {block}"


def test_modules_of_the_architecture_exist() -> None:
    named = re.findall(r"`((?:local/)?[a-z_]+(?:/[a-z_0-9]+)+)`", PAGES[ROOT / "ARCHITECTURE.md"])
    assert named
    for module in set(named):
        places = (ROOT / module, ROOT / "layers" / "shared" / "python" / "sluice" / module)
        assert any(p.is_dir() or p.with_suffix(".py").is_file() for p in places), module
