"""What was done to a photo, as labels that switch each step off and on again.

A step is switched at once if the photo's layers have it, or if a version without it exists.
Otherwise the photo is enhanced again, with the option that `needs` would decide set by the person.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any, Literal, get_args

from enhance.i18n import say
from enhance.models.catalogue import models
from enhance.options import Options
from enhance.pipeline.needs import Flaw, main_flaw
from enhance.web.batches.entries import Entry, Version
from enhance.web.language import Language, text, translated
from enhance.web.page.look import Tab
from enhance.web.page.viewer import Label

Step = Literal["repair", "tone", "colorize", "background", "faces"]
STEPS: tuple[Step, ...] = get_args(Step)

_PLAIN = "lanczos"
_CLEANER = "compact"  # what cleans the background of a photo that does not need it

# What is said when a step was taken, when there was nothing to do, and to have it taken.
_REPAIR = text("Damage repaired"), text("No damage found"), text("Repair damage")
_TONE = text("Colors restored"), text("Colors not faded"), text("Restore faded colors")
_COLORIZE = text("Colorized"), text("Has colors already"), text("Colorize")
# By the flaw of the background, what is said when it has been mended, and to have it mended.
_CLEANING: dict[Flaw, tuple[str, str]] = {
    "noise": (text("Noise removed"), text("Remove noise")),
    "blocks": (text("Compression artifacts removed"), text("Remove compression artifacts")),
    "blur": (text("Sharpened"), text("Sharpen")),
}
_ENLARGING = text("Detail enhanced"), text("Enhance detail")  # a background without a flaw


def labels(version: Version, language: Language) -> Iterator[Label]:
    """The labels of a version: the steps that were taken, and those that could be."""
    for step in STEPS:
        on, said = _state(step, version)
        can = _at_hand(step, version, not on) is not None
        if can or _switched(version.options, step, not on, version) != version.options:
            yield Label(step, translated(said, language), on)


def taken(version: Version) -> Iterator[str]:
    """What was done besides restoring faces, in English."""
    nothing = {words[1] for words in (_REPAIR, _TONE, _COLORIZE)}
    states = (_state(step, version) for step in STEPS if step != "faces")
    yield from (said for on, said in states if on and said not in nothing)


def switch(tab: Tab, step: Step, on: bool, *, everywhere: bool = False) -> bool:
    """Switch a step of the photo in the viewer, if that is finished and not as wanted already.

    everywhere: of all photos of the batch, also of those that are not done yet; what would be done
        at once is then done in the batch's turn, because there may be many photos.

    Returns whether a turn must be drawn for the batch. Raises EnhanceError.
    """
    batch = tab.batch
    if everywhere:
        batch.alter(partial(_switched, step=step, on=on))
    working: list[bool] = []
    again: dict[Options, list[Entry]] = {}
    versions = dict(zip(batch.entries, batch.versions(tab.picks), strict=False))
    for entry in versions if everywhere else [tab.entry]:
        version = versions.get(entry)
        if version is None or entry.pending or _state(step, version)[0] == on:
            continue
        wanted = _switched(_settled(version), step, on, version)
        same = [number for number, one in enumerate(entry.versions) if _settled(one) == wanted]
        if (arguments := _at_hand(step, version, on)) is not None:
            work = partial(batch.change, entry, version, **arguments)
            if everywhere:
                working.append(batch.later(entry, work))
            else:
                work()
        elif same:
            tab.look.sides[entry] = entry.versions.index(version), same[-1]
        elif (options := _switched(version.options, step, on, version)) != version.options:
            again.setdefault(options, []).append(entry)
    for options, entries in again.items():
        tab.forget(entries)
        working.append(batch.begin(entries, options))
    return not all(working)


def _state(step: Step, version: Version) -> tuple[bool, str]:
    """Whether a step shows in a version, and what its label says."""
    report, options = version.report, version.options
    if step == "repair":
        return _asked(options.repair == "on", report.repaired, *_REPAIR)
    if step == "tone":
        return _asked(options.tone == "on", report.toned, *_TONE)
    if step == "colorize":
        return _asked(options.colorize > 0, report.colorized, *_COLORIZE)
    if step == "faces":
        count = len(report.restored)
        on = count > 0 and options.weight > 0
        done = say("1 face restored") if count == 1 else say("{count} faces restored", count=count)
        return on, done if on else text("Restore faces")
    on = report.background != _PLAIN and options.background_weight > 0
    flaw, much = main_flaw(report.findings) if report.findings else ("noise", 0.0)
    cleaned, clean = _ENLARGING if report.upscale > 1 and not much else _CLEANING[flaw]
    return on, cleaned if on else clean


def _asked(asked: bool, amount: float, done: str, nothing: str, to_do: str) -> tuple[bool, str]:
    """The state of a step that a person may have asked for although there was nothing to do."""
    return asked or amount > 0, done if amount else nothing if asked else to_do


def _switched(options: Options, step: Step, on: bool, version: Version | None = None) -> Options:
    """The options with a step set as a person wants it. version: what they have made of a photo."""
    if step in ("repair", "tone"):
        return replace(options, **{step: "on" if on else "off"})  # type: ignore[arg-type]
    report = version.report if version else None
    if step == "colorize":
        gray = not report or report.colorized or (report.findings and report.findings.gray)
        return replace(options, colorize=float(on)) if gray and models("colorize") else options
    if step == "background":
        found = report.background if report else options.background
        unnamed = options.background in ("auto", _PLAIN) and found in ("auto", _PLAIN)
        model = _CLEANER if on and unnamed else options.background
        return replace(options, background=model, background_weight=float(on))
    if not on:
        return replace(options, weight=0.0)
    looked = options.restorer != "none"
    if report and looked and not report.faces:
        return options  # there are none
    # If a person wants it where all were sharp, also the sharp ones are restored.
    asked = bool(report and looked and options.weight > 0)
    restorer = options.restorer if looked else "auto"
    softest = options.only_restore_blurred and not asked
    return replace(options, restorer=restorer, weight=1.0, only_restore_blurred=softest)


def _at_hand(step: Step, version: Version, on: bool) -> dict[str, Any] | None:
    """How `Batch.change` switches a step from the layers; None if they do not have it."""
    if step == "faces" and version.restorable:
        keep = None if version.report.restored else version.restorable
        return {"weight": float(on), "keep": keep}
    if step == "background" and version.layers and version.report.background != _PLAIN:
        return {"background_weight": float(on)}
    return None


def _settled(version: Version) -> Options:
    """The options of a version with what its photo decided."""
    options = _switched(version.options, "repair", _state("repair", version)[0])
    return _switched(options, "tone", _state("tone", version)[0])
