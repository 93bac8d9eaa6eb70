"""What "auto" means, decided in one place by what is on this machine, and why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from enhance.catalogue import CATALOGUE
from enhance.errors import WeightsMissing
from enhance.records import Background, Options, Restorer
from enhance.sentences import say
from enhance.verified import locate

BEST_FIRST: tuple[Restorer, ...] = ("gfpgan-1.4", "gfpgan-1.3", "gfpgan-1.2", "restoreformer")
"""The downloadable restorers in the order in which "auto" prefers them."""


def required_weights(options: Options) -> list[str]:
    """The catalogue names of the files that these options need; the best ones for "auto"."""
    restorer = BEST_FIRST[0] if options.restorer == "auto" else options.restorer
    wanted = (restorer, options.background, options.detector, options.masker)
    return [name for name in wanted if name in CATALOGUE]


def weights_path(name: str, explicit: Path | None) -> Path:
    """The verified file of a catalogue name.

    Raises WeightsMissing, saying how to get it. Never downloads.
    """
    path = locate(CATALOGUE[name], explicit)
    if path is None:
        raise WeightsMissing(
            say(
                "The weights of {name} ({megabytes:.0f} MB) are not on this machine. Press "
                "Download on the page, or run: python -m enhance fetch {name}",
                name=name,
                megabytes=CATALOGUE[name].size / 1e6,
            )
        )
    return path


def resolve(
    options: Options, device: str, explicit: Path | None = None
) -> tuple[Options, tuple[str, ...]]:
    """The options without "auto", and a sentence for each choice that was not the best."""
    notes = []
    if options.restorer == "auto":
        best = next((name for name in BEST_FIRST if locate(CATALOGUE[name], explicit)), None)
        if best is None:
            notes.append(
                say(
                    "Faces were restored by the bundled model, because the weights "
                    "of {name} are not on this machine.",
                    name=BEST_FIRST[0],
                )
            )
        options = replace(options, restorer=best or "bundled")
    if options.background == "auto":
        options = replace(options, background=_background(device, explicit))
    if options.background_weight == 0:  # nothing of the model would be seen
        options = replace(options, background="lanczos")
    return options, tuple(notes)


def _background(device: str, explicit: Path | None) -> Background:
    """The full model where it takes moments; on a CPU the best of the small ones."""
    if device != "cpu":
        return "realesrgan"
    small: Background = "realesr-general-x4v3"
    return small if locate(CATALOGUE[small], explicit) else "compact"
