"""How large a result is, as people say it: "2x", "3840", "short:1080", "min:2000", "4K", "auto"."""

import math
import re
import reprlib

from enhance.errors import OptionsError

FACTORS = 0.25, 4.0
"""The smallest and the largest factor."""
LARGE = 8_000_000
"""Pixels from which "auto" keeps a photo at its size."""
PIXELS = 16, 65_535
"""The shortest and the longest side that can be asked for; "2" is more likely meant as "2x"."""

USUAL_SIZES = {size: size for size in ("1x", "1.5x", "2x", "3x", "4x")} | {
    "3840": "4K",
    "7680": "8K",
    "short:1080": "short:1080",
    "min:2000": "min:2000",
}
"""Sizes that the page offers, with their labels."""
_NAMES = {"4k": "3840", "8k": "7680"}
_FORMS = re.compile(
    r"(?P<factor>\d{1,3}(\.\d{1,20})?|\.\d{1,20})[x×]|((?P<side>short|min):)?(?P<pixels>\d{1,6})",
    re.ASCII,
)


def check_size(size: object) -> str:
    """The size in the one way to write it: "2x" for " 2.0X", "3840" for "4K" and 3840.

    Raises OptionsError, with a sentence that shows the forms, unless it is a valid size.
    """
    said = str(size).strip().lower() if isinstance(size, str | int) else ""
    if said == "auto":
        return said
    form = _FORMS.fullmatch(_NAMES.get(said, said))
    if form and form["factor"] and FACTORS[0] <= float(form["factor"]) <= FACTORS[1]:
        return f"{float(form['factor']):.4g}x"
    if form and form["pixels"] and PIXELS[0] <= int(form["pixels"]) <= PIXELS[1]:
        return f"{form['side']}:{int(form['pixels'])}" if form["side"] else f"{int(form['pixels'])}"
    raise OptionsError(
        "size must be auto, a factor from {smallest:g}x to {largest:g}x, such as 2x, or "
        "{least} to {most} pixels: 3840 or 4K for the longer side, short:1080 for the shorter "
        "side, or min:2000 for a longer side of at least that; not {value}.",
        smallest=FACTORS[0],
        largest=FACTORS[1],
        least=PIXELS[0],
        most=PIXELS[1],
        value=reprlib.repr(size),
    )


def scale(size: str, photo: tuple[int, int]) -> float:
    """How many times larger a result of this size is. size: as `check_size` returns it, where
    "auto" is what it is at most (see `pipeline.needs`). photo: (width, height)."""
    if size == "auto":
        return 1.0 if math.prod(photo) >= LARGE else 2.0
    if size.endswith("x"):
        return float(size[:-1])
    side, _, pixels = size.rpartition(":")
    if side == "short":
        return int(pixels) / min(photo)
    longer = int(pixels) / max(photo)
    return max(1.0, longer) if side == "min" else longer


def from_upscale(factor: object) -> str:
    """What was the option `upscale`."""
    return f"{factor}x"


def from_longer_side(pixels: object) -> str | None:
    """What was the option `longer_side`, which said nothing if it was 0."""
    return None if str(pixels) in ("0", "0.0") else str(pixels)
