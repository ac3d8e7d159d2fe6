from __future__ import annotations

import sys
import xml.etree.ElementTree as ET

from scripts.record_tokens import COLUMNS, Piece, record, svg, wrapped

TWO_PIECES = "import os; os.write(1, b'caf\\xc3'); os.write(1, b'\\xa9 & <b>\\n')"


def test_text_is_recorded_whole_wherever_reads_cut_it() -> None:
    pieces = record([sys.executable, "-c", TWO_PIECES])
    assert (
        "".join(piece.text for piece in pieces) == "caf\N{LATIN SMALL LETTER E WITH ACUTE} & <b>\n"
    )
    assert pieces[0].at_s == 0


def test_piece_that_does_not_fit_begins_the_next_line() -> None:
    long = Piece("x" * (COLUMNS - 2), 0.0)
    assert wrapped([long, Piece(" abc", 1.0)]) == [[long], [Piece("abc", 1.0)]]


def test_picture_shows_each_piece_after_the_one_before() -> None:
    picture = svg("python a.py", [Piece("One", 0.0), Piece(" <two>", 1.0)])
    texts = ["".join(text.itertext()) for text in ET.fromstring(picture).iter() if text.get("x")]  # noqa: S314 - written by the module under test
    assert "$ python a.py" in texts
    assert "One <two>" in texts
    assert picture.index("@keyframes t0{0%,13.78%") < picture.index("@keyframes t1{0%,31.02%")
