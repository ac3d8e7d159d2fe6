"""Record what a command prints and draw it as an animated SVG, at its real pace.

docs/tokens.svg is the README's first Python program, recorded while `npm start` runs with its key:

    .venv/bin/python -m scripts.record_tokens docs/tokens.svg python hello.py
"""

from __future__ import annotations

import codecs
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from html import escape
from pathlib import Path

WIDTH, MARGIN, LINE_HEIGHT, TITLE_HEIGHT = 820, 24, 26, 34  # pixels
COLUMNS = 78
"""Letters on a line: what fits into WIDTH in the widest of the fonts below."""

LEAD_S, HOLD_S = 0.8, 4.0
"""Seconds before the first piece, and from the last piece until the recording starts again."""

FRESH_S = 0.4
"""Seconds for which a new piece has a color of its own."""

READ_BYTES = 65_536
CAPTION = "recorded with the demo model, at its real pace"
STYLE = """\
text{font:16px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
text{fill:#e6edf3;white-space:pre}
.note{font:12px system-ui,-apple-system,"Segoe UI",sans-serif;fill:#9198a1}
.prompt{fill:#7ee787}
@media (prefers-reduced-motion:reduce){tspan{animation:none!important}}"""


@dataclass(frozen=True, slots=True)
class Piece:
    """What one read brought, and when: seconds after the first piece."""

    text: str
    at_s: float


def record(command: list[str]) -> list[Piece]:
    """Run the command and return what it prints, as it comes."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    pieces: list[Piece] = []
    started_s = 0.0
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:  # noqa: S603 - the caller's
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        while data := os.read(process.stdout.fileno(), READ_BYTES):
            now_s = time.monotonic()
            started_s = started_s or now_s
            pieces.append(Piece(decoder.decode(data), now_s - started_s))
    return pieces


def wrapped(pieces: list[Piece]) -> list[list[Piece]]:
    """Return the pieces by line; a piece that does not fit begins the next line."""
    lines: list[list[Piece]] = [[]]
    for piece in pieces:
        text = piece.text.rstrip("\n")
        used = sum(len(each.text) for each in lines[-1])
        if used + len(text) > COLUMNS:
            lines.append([])
            text = text.lstrip()
        if text:
            lines[-1].append(Piece(text, piece.at_s))
    return lines


def svg(shown_command: str, pieces: list[Piece]) -> str:
    """Return the picture. Without animation it shows the whole text."""
    lines = wrapped(pieces)
    total_s = LEAD_S + pieces[-1].at_s + HOLD_S
    height = TITLE_HEIGHT + LINE_HEIGHT * (len(lines) + 2) + MARGIN
    frames: list[str] = []
    top = TITLE_HEIGHT + LINE_HEIGHT
    prompt = f'<tspan class="prompt">$</tspan> {escape(shown_command)}'
    answer = ["".join(_span(piece, total_s, frames) for piece in line) for line in lines]
    body = [
        f'<text xml:space="preserve" x="{MARGIN}" y="{top + row * LINE_HEIGHT}">{line}</text>'
        for row, line in enumerate([prompt, *answer])
    ]
    dots = [
        f'<circle cx="{MARGIN + 6 + 18 * i}" cy="18" r="5.5" fill="{color}"/>'
        for i, color in enumerate(("#ff5f57", "#febc2e", "#28c840"))
    ]
    label = escape(f"{shown_command}: {''.join(piece.text for piece in pieces).strip()}")
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{label}">',
            "<!-- Drawn by scripts/record_tokens.py. -->",
            f"<style>\n{STYLE}\n{chr(10).join(frames)}\n</style>",
            f'<rect x=".5" y=".5" width="{WIDTH - 1}" height="{height - 1}" rx="10" fill="#0d1117"'
            ' stroke="#3d444d"/>',
            *dots,
            *body,
            f'<text class="note" x="{WIDTH - MARGIN}" y="{height - 14}" text-anchor="end">'
            f"{CAPTION}</text>",
            "</svg>\n",
        ]
    )


def _span(piece: Piece, total_s: float, frames: list[str]) -> str:
    """Return the piece's text, and add the animation that shows it at its time."""
    name = f"t{len(frames)}"
    at = (LEAD_S + piece.at_s) / total_s * 100
    settled = min(100.0, at + FRESH_S / total_s * 100)
    frames.append(
        f"@keyframes {name}{{0%,{at - 0.01:.2f}%{{fill-opacity:0}}"
        f"{at:.2f}%{{fill-opacity:1;fill:#7ee787}}{settled:.2f}%{{fill:#e6edf3}}}}"
    )
    style = f"animation:{name} {total_s:.2f}s linear infinite"
    return f'<tspan style="{style}">{escape(piece.text)}</tspan>'


def main() -> None:
    picture, *command = sys.argv[1:]
    shown = " ".join(Path(word).name for word in command)
    Path(picture).write_text(svg(shown, record(command)), encoding="utf-8")


if __name__ == "__main__":
    main()
