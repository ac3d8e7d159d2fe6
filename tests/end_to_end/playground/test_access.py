"""The playground by keyboard and screen reader, in the dark, and on a narrow screen."""

from __future__ import annotations

import pytest

from tests.end_to_end.playground.chromium import Browser, Page
from tests.end_to_end.playground.upstreams import BY_BROWSER, HOLDS, REFUSAL, bodies
from tests.running_stack import RunningStack
from tests.scripted_upstream import ScriptedUpstream

DARK = {"scheme": "dark", "motion": "reduce", "width": 360, "height": 740}


def test_keyboard_alone_is_enough(page: Page, upstream: ScriptedUpstream) -> None:
    focused = "document.activeElement.id"
    assert page.evaluate(focused) == "prompt"
    assert not page.evaluate("document.querySelector('.unserved').checkVisibility()")
    page.do("type", "two")
    page.press("Shift+Enter")
    page.do("type", "lines")
    for composing in ("isComposing: true", "keyCode: 229"):  # Enter chooses a character
        page.evaluate(
            "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', "
            f"{{key: 'Enter', bubbles: true, {composing}}}))"
        )
    assert page.texts("answer") == []
    page.press("Enter")
    page.wait_text("answer", "Hello")
    page.wait_idle()
    assert bodies(upstream)[0]["messages"] == [{"role": "user", "content": "two\nlines"}]
    page.do("type", "again")
    page.press("Control+Enter")
    page.wait_idle()
    assert len(page.texts("answer")) == 2
    upstream.script = HOLDS
    page.evaluate("document.getElementById('transport').value = 'websocket'")
    page.do("type", "endless")
    page.press("Tab")  # past Stop, which is not enabled yet
    assert page.evaluate(focused) == "send"
    page.press("Enter")
    page.wait_text("answer", "go")
    assert page.evaluate(focused) == "stop"
    page.press("Escape")
    page.wait_text("stopped", "Stopped.")
    page.wait_idle()
    assert page.evaluate(focused) == "prompt"


def test_focus_goes_through_everything_in_order_and_is_visible(page: Page) -> None:
    page.evaluate("document.querySelector('.skip').focus()")
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    visited = []
    for _ in range(13):
        page.press("Tab")
        visited.append(
            page.evaluate("document.activeElement.id || document.activeElement.className")
        )
        assert page.evaluate(outline) != "none", visited
    expected = [
        "transport", "model", "template", "response-type", "key", "system", "new",
        "conversation", "prompt", "send", "copy", "tab-curl", "code-panel",
    ]  # fmt: skip
    assert visited == expected


def test_tabs_move_with_the_arrow_keys_and_copy_copies(page: Page) -> None:
    page.fill("prompt", 'It\'s "here"')
    page.do("tab", "curl")
    page.press("ArrowRight", "ArrowRight")
    assert "client.chat.completions.create" in page.text("code")
    page.press("Home")
    page.click("copy")
    assert page.evaluate("navigator.clipboard.readText()") == page.text("code")
    assert page.text("code").startswith("curl -N http://127.0.0.1:")


ROLES = (
    "- status",
    '- heading "Sluice playground" [level=1]',
    '- combobox "Transport"',
    '- combobox "Model"',
    '- combobox "Template"',
    '- combobox "Answer as"',
    '- textbox "Key"',
    '- textbox "System text"',
    '- textbox "Prompt"',
    '- button "Send"',
    '- button "Stop" [disabled]',
    '- button "New conversation"',
    '- button "Copy"',
    '- tablist "Language"',
    '- tab "curl" [selected]',
    '- tabpanel "curl"',
    '- list "What was sent and received"',
    "- table",
    '- columnheader "First token"',
)


def test_screen_reader_finds_names_and_roles_and_hears_the_answer(
    page: Page, upstream: ScriptedUpstream
) -> None:
    page.ask("Hello")
    tree = page.do("tree")
    assert [role for role in ROLES if role not in tree] == []
    assert "Answer: Hello" in tree
    upstream.script = REFUSAL
    page.ask("Hello")
    assert page.evaluate("document.querySelector('[role=status]').textContent").startswith(
        "Error: "
    )
    assert all(fault.startswith(BY_BROWSER) for fault in page.faults())


LUMINANCE = """(() => {
  const ratio = (a, b) => {
    const [x, y] = [a, b].map((name) => {
      const hex = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()
      const [red, green, blue] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
        .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue
    })
    return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05)
  }
  const pairs = [['text', 'page'], ['text', 'card'], ['text', 'inset'], ['text', 'said'],
    ['text', 'notice'], ['muted', 'page'], ['muted', 'card'], ['muted', 'inset'],
    ['on-accent', 'accent'], ['bad', 'bad-back'], ['bad', 'card'], ['good', 'card']]
  return pairs.map(([a, b]) => [a, b, ratio(a, b)]).filter(([, , value]) => !(value >= 4.5))
})()"""


@pytest.mark.usefixtures("upstream")
def test_page_is_light_or_dark_narrow_and_still_as_the_user_wants(
    browser: Browser, signed_stack: RunningStack
) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    backgrounds = set()
    for options in ({}, DARK):
        page = browser.open(f"{signed_stack.url}/", **options)
        assert page.ask("Hello") == "Hello"
        backgrounds.add(page.evaluate(background))
        assert page.evaluate(LUMINANCE) == []
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        assert page.faults() == []
        page.close()
    assert len(backgrounds) == 2
