"""Take the pictures of the playground again: `npm run pictures`.

docs/playground.png is a screenshot, docs/playground-run.png a moving picture at its real pace. Both
show the demo model on the ports of `npm start`, which must be free.
"""

from __future__ import annotations

from pathlib import Path

from tests.end_to_end.playground.chromium import Browser, chromium
from tests.running_stack import ROOT, RunningStack, stack

SCREENSHOT = ROOT / "docs" / "playground.png"
MOVING_PICTURE = ROOT / "docs" / "playground-run.png"
PORTS = ("--http-port", "3000", "--ws-port", "3001")


def take_screenshot(browser: Browser, running: RunningStack, file: Path) -> None:
    page = browser.open(f"{running.url}/", width=1240, height=860)
    page.ask("What is a sluice?")
    page.select("transport", "websocket")
    page.ask("And what streams through it?")
    page.do("tab", "Python")
    page.wait_text("requests", "WebSocket")
    page.evaluate("document.activeElement.blur()")
    page.do("screenshot", str(file))
    assert page.faults() == []
    page.close()


def film(
    browser: Browser, running: RunningStack, file: Path, *, width: int = 960, height: int = 740
) -> None:
    page = browser.open(f"{running.url}/", width=width, height=height)
    page.evaluate("document.getElementById('traffic').open = false")
    page.do("film", "Hello, Sluice!", str(file))
    page.close()


def main() -> None:
    with chromium() as browser, stack(ROOT / "serverless.yml", *PORTS) as running:
        running.wait_ready()
        film(browser, running, MOVING_PICTURE)
        take_screenshot(browser, running, SCREENSHOT)


if __name__ == "__main__":
    main()
