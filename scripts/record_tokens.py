"""Record what a command prints and draw it as an animated SVG, at its real pace.

docs/tokens.svg is README's Python program, recorded while `npm start` runs with its key:

    .venv/bin/python -m scripts.record_tokens docs/tokens.svg python hello.py
"""

from __future__ import annotations

import codecs
import os
import subprocess
import sys
import time
from html import escape
from pathlib import Path
from typing import NamedTuple

WIDTH, MARGIN, LINE_HEIGHT, TOP = 820, 24, 26, 60  # pixels; TOP: of the first line's letters
COLUMNS = 78
"""Letters per line: what fits into WIDTH in the widest of the fonts below."""

LEAD_S, FRESH_S, HOLD_S = 0.8, 0.4, 4.0
"""Seconds before the first piece, of a new piece's own color, and after the last piece."""

READ_BYTES = 65_536
TEMPLATE = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" \
viewBox="0 0 {width} {height}" role="img" aria-label="{label}">
<!-- Drawn by scripts/record_tokens.py. -->
<style>
text{{font:16px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}}
text{{fill:#e6edf3;white-space:pre}}.prompt{{fill:#7ee787}}
.note{{font:12px system-ui,-apple-system,"Segoe UI",sans-serif;fill:#9198a1}}
@media (prefers-reduced-motion:reduce){{tspan{{animation:none!important}}}}
{frames}
</style>
<rect x="0.5" y="0.5" width="{inner_width}" height="{inner_height}" rx="10" fill="#0d1117" \
stroke="#3d444d"/>
<g stroke-width="11" stroke-linecap="round"><path stroke="#ff5f57" d="M30 18h0"/>\
<path stroke="#febc2e" d="M48 18h0"/><path stroke="#28c840" d="M66 18h0"/></g>
{lines}
<text class="note" x="{right}" y="{bottom}" text-anchor="end">\
recorded with the demo model, at its real pace</text>
</svg>
"""


class Piece(NamedTuple):
    """What one read brought, and when: seconds after the first piece."""

    text: str
    at_s: float


def record(command: list[str]) -> list[Piece]:
    """Run the command and return what it prints, as it arrives."""
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
    for text, at_s in pieces:
        if sum(len(piece.text) for piece in lines[-1]) + len(text.rstrip()) > COLUMNS:
            lines.append([])
        lines[-1].append(Piece(text if lines[-1] else text.lstrip(), at_s))
    return lines


def svg(command: str, pieces: list[Piece]) -> str:
    """Return the picture. Without animation it shows the whole text."""
    total_s = LEAD_S + pieces[-1].at_s + HOLD_S
    frames: list[str] = []
    lines = [f'<tspan class="prompt">$</tspan> {escape(command)}']
    lines += ["".join(_span(piece, total_s, frames) for piece in line) for line in wrapped(pieces)]
    height = TOP + LINE_HEIGHT * len(lines) + MARGIN
    return TEMPLATE.format(
        width=WIDTH,
        height=height,
        inner_width=WIDTH - 1,
        inner_height=height - 1,
        right=WIDTH - MARGIN,
        bottom=height - 14,
        label=escape(f"{command}: {''.join(piece.text for piece in pieces).strip()}"),
        frames="\n".join(frames),
        lines="\n".join(
            f'<text xml:space="preserve" x="{MARGIN}" y="{TOP + row * LINE_HEIGHT}">{line}</text>'
            for row, line in enumerate(lines)
        ),
    )


def _span(piece: Piece, total_s: float, frames: list[str]) -> str:
    """Return the piece's text, and add the animation that shows it at its time."""
    name = f"t{len(frames)}"
    at = (LEAD_S + piece.at_s) / total_s * 100
    frames.append(
        f"@keyframes {name}{{0%,{at - 0.01:.2f}%{{fill-opacity:0}}"
        f"{at:.2f}%{{fill-opacity:1;fill:#7ee787}}"
        f"{at + FRESH_S / total_s * 100:.2f}%{{fill:#e6edf3}}}}"
    )
    return f'<tspan style="animation:{name} {total_s:.2f}s infinite">{escape(piece.text)}</tspan>'


if __name__ == "__main__":
    picture, *recorded = sys.argv[1:]
    shown = " ".join(Path(word).name for word in recorded)
    Path(picture).write_text(svg(shown, record(recorded)), encoding="utf-8")
