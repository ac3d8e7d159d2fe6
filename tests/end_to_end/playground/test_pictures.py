"""The pictures in docs/ can be taken again, and those that are there are whole and small."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

from tests.end_to_end.playground.chromium import Browser
from tests.end_to_end.playground.pictures import MOVING_PICTURE, SCREENSHOT, film, take_screenshot
from tests.running_stack import ready_service

MAX_BYTES = 200_000
"""What a reader of README.md loads."""


def chunks(png: bytes) -> Iterator[tuple[str, bytes]]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    at = 8
    while at < len(png):
        size = int.from_bytes(png[at : at + 4], "big")
        named = png[at + 4 : at + 8 + size]
        assert zlib.crc32(named) == int.from_bytes(png[at + 8 + size : at + 12 + size], "big")
        yield named[:4].decode(), named[4:]
        at += size + 12


def check(file: Path, *, moves: bool, width: int = 900) -> None:
    """Each frame must decode to what its header says, and lie within the picture."""
    png = file.read_bytes()
    assert len(png) < MAX_BYTES
    size, sequence, frames, seconds = (0, 0), [], 0, 0.0
    area = (0, 0)
    for name, data in chunks(png):
        numbers = [int.from_bytes(data[at : at + 4], "big") for at in range(0, 20, 4)]
        if name == "IHDR":
            size = area = numbers[0], numbers[1]
        elif name == "fcTL":
            sequence.append(numbers[0])
            area = numbers[1], numbers[2]
            assert numbers[3] + area[0] <= size[0]
            assert numbers[4] + area[1] <= size[1]
            seconds += int.from_bytes(data[20:22], "big") / int.from_bytes(data[22:24], "big")
        elif name in ("IDAT", "fdAT"):
            if name == "fdAT":
                sequence.append(numbers[0])
            frames += 1
            rows = zlib.decompress(data[4:] if name == "fdAT" else data)
            assert len(rows) == (area[0] + 1) * area[1]
    assert sequence == list(range(len(sequence)))
    assert size[0] >= width
    assert (frames > 20) is moves
    assert (4 < seconds < 30) is moves


def test_pictures_are_taken_of_a_real_run(browser: Browser, tmp_path: Path) -> None:
    with ready_service() as running:
        # Small, because each picture of a film takes time for each of its pixels.
        film(browser, running, tmp_path / "film.png", width=480, height=370)
        take_screenshot(browser, running, tmp_path / "screenshot.png")
    check(tmp_path / "film.png", moves=True, width=480)
    check(tmp_path / "screenshot.png", moves=False)


def test_pictures_of_the_pages_are_whole_and_small() -> None:
    check(MOVING_PICTURE, moves=True)
    check(SCREENSHOT, moves=False)
