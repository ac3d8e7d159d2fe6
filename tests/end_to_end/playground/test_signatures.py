"""The playground of a stack with a key pair of its own: each request is signed."""

from __future__ import annotations

import pytest

from tests.end_to_end.playground.chromium import Browser
from tests.end_to_end.playground.conftest import OWN_PAIR
from tests.end_to_end.playground.pasting import paste
from tests.running_stack import RunningStack


@pytest.mark.usefixtures("upstream")
def test_credentials_sign_both_transports_and_the_lines_to_copy(
    browser: Browser, own_pair_stack: RunningStack
) -> None:
    page = browser.open(f"{own_pair_stack.url}/", models=False)
    page.fill("access-key", OWN_PAIR["AWS_ACCESS_KEY_ID"])
    page.fill("secret-key", OWN_PAIR["AWS_SECRET_ACCESS_KEY"])
    cases = {"url": ("curl", "Python"), "websocket": ("Python", "wscat")}
    for transport, languages in cases.items():
        page.select("transport", transport)
        assert page.ask("Hello") == "Hello"
        for language in languages:
            page.do("tab", language)
            assert "Hel" in paste(language, page.text("code"), **OWN_PAIR), language
            assert not any(value in page.text("code") for value in OWN_PAIR.values())
    assert page.faults() == []
    page.fill("secret-key", "wrong")
    page.select("transport", "url")
    page.ask("Hello")
    assert "signature" in page.text("error")
    page.close()
