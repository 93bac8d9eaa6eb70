"""Cuts a large image into overlapping tiles; pure arithmetic."""

from collections.abc import Iterator
from dataclasses import dataclass

Area = tuple[slice, slice]
"""A rectangle of an image: (rows, columns)."""


@dataclass(frozen=True)
class Tile:
    """A window of the image, and the part of it whose result is kept.

    window: what the model sees. core: the part that is kept. Both in image pixels.
    """

    window: Area
    core: Area

    def core_in_window(self, scale: int) -> Area:
        """The core in the model's output for the window, at `scale`."""
        return tuple(  # type: ignore[return-value]
            slice((c.start - w.start) * scale, (c.stop - w.start) * scale)
            for w, c in zip(self.window, self.core, strict=True)
        )

    def at_edges(self, height: int, width: int) -> tuple[bool, bool, bool, bool]:
        """Whether the window ends at the image's top, bottom, left and right edge."""
        rows, columns = self.window
        return rows.start == 0, rows.stop == height, columns.start == 0, columns.stop == width

    def core_in_output(self, scale: int) -> Area:
        """The core in the whole output, at `scale`."""
        rows, columns = self.core
        return (
            slice(rows.start * scale, rows.stop * scale),
            slice(columns.start * scale, columns.stop * scale),
        )


def tiles(height: int, width: int, tile: int, overlap: int, *, multiple: int = 1) -> Iterator[Tile]:
    """Windows of at most `tile` + 2·`overlap` pixels that cover the image, row by row.

    The cores partition the image into near-equal parts of at most `tile` pixels, so no sliver is
    left at the end. Windows begin and end at multiples of `multiple`, or at the image's end.
    """

    def window(start: int, stop: int, length: int) -> slice:
        start = max(0, start - overlap) // multiple * multiple
        stop = -(-(stop + overlap) // multiple) * multiple
        return slice(start, min(length, stop))

    for top, bottom in _spans(height, tile):
        for left, right in _spans(width, tile):
            yield Tile(
                window=(window(top, bottom, height), window(left, right, width)),
                core=(slice(top, bottom), slice(left, right)),
            )


def _spans(length: int, tile: int) -> Iterator[tuple[int, int]]:
    count = -(-length // tile)
    for i in range(count):
        yield length * i // count, length * (i + 1) // count
