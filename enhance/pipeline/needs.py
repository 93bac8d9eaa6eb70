"""What a photo needs, from what was found in it: the one table behind the options' "auto".

The bounds lie between what `training.evaluate_automatic` finds in clean photos and in damaged ones.
Where the two overlap, a photo is left alone: a scratch that stays does less harm than a cord that
is smoothed away.
"""

import math
from dataclasses import replace
from typing import Literal

from enhance.i18n import Sentence, say
from enhance.options import Options
from enhance.records import Findings
from enhance.sizes import LARGE

Flaw = Literal["noise", "blocks", "blur"]

# Share that must be damaged for certain: of a faded photo, of a soft one, and of any other. Modern
# photos rarely seem to have faded, and scans are soft.
_DAMAGED_FADED, _DAMAGED_SOFT, _DAMAGED = 0.0006, 0.0011, 0.002
_SOFT = 0.25  # detail; most scans have less
_CLEAR = 3.0  # noise, above which detail says nothing
# Prints whose blacks are lighter and whose whites are darker than these have faded; photos of fog
# have whites, and photos of the night have blacks. A damaged photo is a print, so that less will do
# for it; a photo with hardly any contrast is more likely to show fog, so that its whites must be
# darker.
_BLACK, _BLACK_DAMAGED = 0.145, 0.12
_WHITE, _WHITE_FLAT = 0.965, 0.88
_FLAT = 0.45  # contrast: white less black
_FADED, _YELLOWED = 0.4, 0.9  # how certain that must be, also if the print has only turned yellow
# Pixels from which a photo is not enlarged if it has no more detail than at half its size, because
# it was enlarged before or its lens was not sharper.
_LARGE_SOFT = 2_000_000
_HALF = 0.2  # detail; photos that were enlarged twice have no more
# (from, to): what is no flaw, and what needs the best network for it.
_NOISE, _BLOCKS, _BLUR = (2.0, 6.0), (1.0, 1.9), (0.14, 0.08)


def asks(options: Options, size: tuple[int, int]) -> bool:
    """Whether any of the options depends on what a photo of `size` (width, height) shows."""
    if options.size == "auto" and _LARGE_SOFT <= math.prod(size) < LARGE:
        return True
    return "auto" in (options.repair, options.tone, options.background)


def decide(
    options: Options, seen: Findings | None, size: tuple[int, int], *, marked: bool = False
) -> tuple[Options, dict[str, str]]:
    """What to do with a photo of `size` (width, height): the options without what it decides, and
    the reasons, as in `Report`. seen: None unless the options ask for it. marked: a person has said
    what to repair."""
    chosen: dict[str, str] = {}
    reasons: dict[str, str] = {}
    if options.size == "auto":
        times, reasons["size"] = enlargement(size, seen)
        options = replace(options, size=f"{times}x")
    if seen is None:
        return options, reasons
    damaged, repairing = _repair(seen)
    if options.repair == "auto":
        reasons["repair"] = repairing
        chosen["repair"] = "on" if damaged or marked else "off"
    if options.tone == "auto":
        faded, reasons["tone"] = _tone(seen)
        chosen["tone"] = "on" if faded else "off"
    if options.background == "auto":
        if damaged and chosen.get("repair", options.repair) == "on":
            reasons["background"] = say("Grain is removed, because repaired places have none.")
        else:
            larger = math.prod(options.output_size(size)) > math.prod(size)
            chosen["background"], reasons["background"] = _background(seen, larger)
    return replace(options, **chosen), reasons  # type: ignore[arg-type]


def enlargement(size: tuple[int, int], seen: Findings | None) -> tuple[int, Sentence]:
    """How many times larger a photo of `size` (width, height) can reasonably become, and why."""
    pixels = math.prod(size)
    if pixels >= LARGE:
        return 1, say("Already large: kept at its size.")
    if pixels >= _LARGE_SOFT and seen and seen.detail <= _HALF and seen.noise < _CLEAR:
        return 1, say("No sharper than at half its size: kept at its size.")
    return 2, say("Small enough to be doubled.")


def _repair(seen: Findings) -> tuple[bool, Sentence]:
    soft = seen.detail < _SOFT and seen.noise < _CLEAR
    faded, _ = _tone(seen)
    if seen.damage > (_DAMAGED_FADED if faded else _DAMAGED_SOFT if soft else _DAMAGED):
        return True, say("Damage found.")
    if seen.damage > 0:
        return False, say("Nothing that is clearly damage.")
    return False, say("No damage found.")


def _tone(seen: Findings) -> tuple[bool, Sentence]:
    black = _BLACK_DAMAGED if seen.damage > _DAMAGED_SOFT else _BLACK
    white = _WHITE_FLAT if seen.white - seen.black < _FLAT else _WHITE
    pale = seen.black >= black and seen.faded >= _FADED
    yellowed = min(seen.faded, seen.yellowed) >= _YELLOWED
    if seen.white <= white and (pale or yellowed):
        return True, say("The colors have faded.")
    return False, say("The colors have not faded.")


def main_flaw(seen: Findings) -> tuple[Flaw, float]:
    """What the background most needs to be cleaned of, and how much, 0..1."""
    flaws: dict[Flaw, float] = {
        "noise": _severity(seen.noise, _NOISE),
        "blocks": _severity(seen.blocks, _BLOCKS),
        "blur": _severity(seen.detail, _BLUR),
    }
    return max(flaws.items(), key=lambda flaw: flaw[1])


def _background(seen: Findings, larger: bool) -> tuple[str, Sentence]:
    """The compact network keeps what detail rises above the noise, so a slight flaw needs no
    more."""
    flaw, much = main_flaw(seen)
    if much == 0:
        if larger:
            return "compact", say("Sharp and clean, so it is enlarged with its own detail.")
        return "lanczos", say("Sharp and clean, so it stays as it is.")
    said = {
        "noise": say("Noise: {levels:.0f} gray levels.", levels=seen.noise),
        "blocks": say("Compression artifacts."),
        "blur": say("The photo is blurry."),
    }
    return "auto" if much == 1 else "compact", said[flaw]


def _severity(value: float, between: tuple[float, float]) -> float:
    """How severe a flaw is: 0 at the first bound, 1 at the second."""
    return min(1.0, max(0.0, (value - between[0]) / (between[1] - between[0])))
