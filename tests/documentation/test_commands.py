"""The commands that the pages show run as they are, and print what the pages say."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.child_environment import ROOT, inherited
from tests.documentation import providers
from tests.documentation.marked_blocks import (
    MarkedBlock,
    marked_blocks,
    matches,
    unmarked_commands,
)
from tests.running_stack import PATIENCE_S, RunningStack, patient_wscat, ready_service
from tests.scripted_upstream import scripted_upstream
from tests.test_documentation import PAGES

if TYPE_CHECKING:
    from collections.abc import Iterator

MARKED = {page: blocks for page, text in PAGES.items() if (blocks := marked_blocks(text))}
HTTP, WEBSOCKET = "127.0.0.1:3000", "127.0.0.1:3001"
INTERPRETERS = {
    "sh": ("sh", "-c"),
    "python": (sys.executable, "-c"),
    "js": ("node", "--input-type=module", "-e"),
}
NPM_RUN = re.compile(r"npm run (?:-s )?(\w+)(?: --)?")
NPM_SCRIPTS = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["scripts"]
SETS_UP = re.compile(r"exec node scripts/with-venv\.mjs (?:--[\w-]+ )?(?=python )")
"""What each script does first, and a test need not."""

RUN = ("operate.md", "protocols.md", "quickstart.md", "troubleshooting.md")
"""Pages whose commands run, except those that need an account or begin a service."""
NOT_RUN = re.compile(
    r"npx sls|npm (ci|start)\b|npm run (-s )?(secrets|smoke)|https://…|export FORWARD_KEY="
)


@pytest.mark.parametrize(
    ("page", "settings"),
    [
        pytest.param(path, settings, id=f"{path.name}-{number}")
        for path, blocks in MARKED.items()
        for number, settings in enumerate(dict.fromkeys(block.settings for block in blocks))
    ],
)
def test_commands_print_what_their_page_says(
    page: Path, settings: tuple[tuple[str, str], ...], tmp_path: Path
) -> None:
    differing = []
    with running(dict(settings), tmp_path) as (stack, environ):
        for block in (block for block in MARKED[page] if block.settings == settings):
            found = problems(block, stack, environ)
            differing += [f"{page.name}:{block.line} {problem}" for problem in found]
    assert not differing, "\n\n".join(differing)


@contextmanager
def running(
    settings: dict[str, str], folder: Path
) -> Iterator[tuple[RunningStack, dict[str, str]]]:
    """`npm start` with the settings of a block, and the environment of its commands."""
    with ExitStack() as cleanup:
        environ = dict(settings)
        provider = environ.pop("PROVIDER", "")
        config = ROOT / environ.pop("CONFIG", "serverless.yml")
        if "PROJECT" in environ:
            config = providers.write_project(folder / "project", environ.pop("PROJECT"))
        if provider == "unreachable":
            environ["OPENAI_BASE_URL"] = providers.UNREACHABLE
        elif provider:
            upstream = cleanup.enter_context(scripted_upstream())
            upstream.script = providers.SCRIPTS[provider]
            name = "AZURE_OPENAI_ENDPOINT" if provider.startswith("azure") else "OPENAI_BASE_URL"
            environ[name] = upstream.url.removesuffix("/v1")
            environ["OPENAI_API_KEY"] = "sk-of-the-documentation"
        environ["STATE_FILE"] = str(folder / f"{len(list(folder.iterdir()))}.sqlite3")
        stack = cleanup.enter_context(ready_service(config, **environ))
        own = Path(sys.executable).parent
        path = f"{own}{os.pathsep}{os.environ['PATH']}"
        (folder / ".curlrc").write_text("silent\nshow-error\n")  # as on a terminal
        alone = {"PATH": path, "CURL_HOME": str(folder), "NO_COLOR": "1"}
        yield stack, {**inherited("HOME", "TMPDIR"), **alone, **environ}


def problems(block: MarkedBlock, stack: RunningStack, environ: dict[str, str]) -> Iterator[str]:
    """Run a block; yield what differs from its page. Without a text it must exit with 0."""
    printed, status = printed_by(block, stack, environ)
    if block.prints is None and status:
        yield f"exited with {status} and printed:\n{printed}"
    if not matches(block.prints or "", printed):
        yield f"printed:\n{printed}"
    for line in block.console:
        if not is_printed(line, stack):
            yield f"{line!r} is not in the console:\n{stack.text()}"


def is_printed(part: str, stack: RunningStack) -> bool:
    """Return whether a line of the console holds `part`, now or soon."""
    if part in shown(stack.text(), stack):
        return True
    try:
        return bool(stack.wait_line(part))
    except (AssertionError, queue.Empty):
        return False


def printed_by(block: MarkedBlock, stack: RunningStack, environ: dict[str, str]) -> tuple[str, int]:
    """Return what a block prints, up to what its page shows of it, and its exit status."""
    command = block.command
    for address, own in addresses(stack).items():
        command = command.replace(address, own)
    command = patient_wscat(command) if "npx wscat" in command else command
    command = NPM_RUN.sub(lambda found: SETS_UP.sub("", NPM_SCRIPTS[found[1]]), command)
    with subprocess.Popen(
        [*INTERPRETERS[block.language], command],
        cwd=ROOT,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        assert process.stdout is not None
        printed = ""
        for line in process.stdout:
            printed += shown(line, stack)
            # A command such as `sleep 10 | npx wscat …` stays for a while.
            if block.prints and matches(block.prints, printed):
                os.killpg(process.pid, signal.SIGTERM)
                return printed, 0
        return printed, process.wait(PATIENCE_S)


def shown(text: str, stack: RunningStack) -> str:
    """Return a text of the stack with the addresses that pages show."""
    for address, own in addresses(stack).items():
        text = text.replace(own, address)
    return text


def addresses(stack: RunningStack) -> dict[str, str]:
    """Return where the stack listens, by the addresses that pages show."""
    found = {HTTP: stack.url}
    if "  WebSocket " in stack.text():
        found[WEBSOCKET] = stack.websocket_url
    return {shown: url.partition("//")[2] for shown, url in found.items()}


def test_command_that_fails_or_prints_something_else_is_a_problem() -> None:
    with ready_service() as stack:
        environ = inherited("PATH")
        for command, prints, count in (
            ("true", None, 0),
            ("false", None, 1),
            ("echo a; false", "a", 0),
            ("echo b", "a", 1),
            ("echo http://127.0.0.1:3000; sleep 600", "http://127.0.0.1:3000", 0),
        ):
            block = MarkedBlock(1, (), "sh", command, prints)
            assert len(list(problems(block, stack, environ))) == count, command


def test_only_what_needs_an_account_is_not_run() -> None:
    for path, text in PAGES.items():
        if path.name in RUN:
            left = [line for line in unmarked_commands(text) if not NOT_RUN.search(line)]
            assert not left, path.name


def test_a_block_that_prints_something_else_is_noticed() -> None:
    page = "<!-- run: A=1 B='2 3' -->\n```sh\necho x\n```\n```\nsays … all\n```\n"
    page += "<!-- console -->\n```\none\n```\n```sh\nnot run\n```\n"
    page += "<!-- provoke: cat y -->\n```\ny\n```\n"
    first, second = marked_blocks(page)
    assert first.settings == second.settings == (("A", "1"), ("B", "2 3"))
    assert (first.command, first.prints, first.console) == ("echo x\n", "says … all\n", ("one",))
    assert (second.command, second.prints) == ("cat y", "y\n")
    assert matches("says … all", "says it\nand all, and more\n")
    assert not matches("says … all", "he says it all")
    assert not matches("a.c", "abc")
    assert matches("You\n said…\n.", "You said\n it\n.")
    assert not matches("Yousaid", "You said")
