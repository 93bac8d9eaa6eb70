"""Draws the modules in architecture.md from the code: `python -m scripts.draw_architecture`.

A row is a floor of `tests/test_house.py`, which keeps imports pointing downward; a box is a module
or a package, with the first sentence of its own docstring.
"""

from __future__ import annotations

import ast
import re
import textwrap
from xml.sax.saxutils import escape

from scripts import DOCS
from tests.test_house import FLOORS, ROOT

PICTURE = DOCS / "architecture.svg"

_WIDTH = 1180  # everything in pixels
_GAP = 10
_LINE = 15
_PER_ROW = 5  # boxes
_BOX = (_WIDTH - _GAP) / _PER_ROW - _GAP
_LETTERS = 32  # fit into a line of a box
_BANDS = ("#f6f4ef", "#ece7dc")
_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #44403c; }
.name { font-weight: 600; font-size: 13px; fill: #9a3412; }
.box { fill: #ffffff; stroke: #d6d3d1; }
"""


def about(room: str) -> str:
    """The first sentence of a module's or package's docstring."""
    path = ROOT.joinpath(*room.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    docstring = ast.get_docstring(ast.parse(file.read_text("utf-8")))
    assert docstring, room
    paragraph = " ".join(docstring.split("\n\n")[0].split())
    return re.split(r"(?<!\.)\.(?: |$)", paragraph)[0]


def drawn() -> str:
    """The picture as SVG."""
    parts: list[str] = []
    y = 0.0
    for number, floor in enumerate(reversed(FLOORS)):
        rooms = sorted(floor)
        rows = [rooms[i : i + _PER_ROW] for i in range(0, len(rooms), _PER_ROW)]
        boxes, bottom = [], y + _GAP
        for row in rows:
            words = {room: textwrap.wrap(about(room), _LETTERS) for room in row}
            height = _LINE * (max(map(len, words.values())) + 1) + 2 * _GAP
            left = (_WIDTH - len(row) * (_BOX + _GAP) + _GAP) / 2
            for place, (room, lines) in enumerate(words.items()):
                boxes.append(_box(left + place * (_BOX + _GAP), bottom, height, room, lines))
            bottom += height + _GAP
        size = f'y="{y:g}" width="{_WIDTH}" height="{bottom - y:g}"'
        parts += [f'<rect {size} fill="{_BANDS[number % 2]}"/>', *boxes]
        y = bottom
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y:g}">'
    return "\n".join([head, f"<style>{_STYLE}</style>", *parts, "</svg>", ""])


def _box(x: float, y: float, height: float, room: str, lines: list[str]) -> str:
    title = room.removeprefix("enhance.") + (
        "/" if ROOT.joinpath(*room.split(".")).is_dir() else ""
    )
    texts = [f'<text class="name" x="{x + _GAP:g}" y="{y + 2 * _GAP:g}">{escape(title)}</text>']
    for number, line in enumerate(lines, 1):
        below = y + 2 * _GAP + number * _LINE
        texts.append(f'<text x="{x + _GAP:g}" y="{below:g}">{escape(line)}</text>')
    frame = f'<rect class="box" x="{x:g}" y="{y:g}" width="{_BOX:g}" height="{height:g}" rx="6"/>'
    return "\n".join([frame, *texts])


def main() -> None:
    PICTURE.write_text(drawn(), "utf-8")


if __name__ == "__main__":
    main()
