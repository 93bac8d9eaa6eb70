"""What is said of a photo that was enhanced: the notes in its report, and its file's history."""

from collections.abc import Iterator

from enhance.i18n import Sentence, say
from enhance.models.catalogue import MODELS
from enhance.options import BACKGROUND, FACES, OPTIONS, Options
from enhance.photos.provenance import COMPOSITE, ENHANCED, Provenance
from enhance.records import Report

_NO_SETTINGS = ("name", "metadata", "size")  # the first may be private, the last is `upscale`


def notes_on(options: Options, report: Report, *, marked: bool) -> Iterator[Sentence]:
    """What a user should know about a photo that was enhanced with these options.

    marked: a person said what to repair, so nothing was looked for.
    """
    faces, restored = len(report.faces), len(report.restored)
    if options.repair == "on":
        if report.fill:
            yield say("Damage repaired on {share:.2%} of the photo.", share=report.repaired)
        elif marked:
            yield say("Nothing was repaired, because all marks were removed.")
        else:
            yield say("No damage found.")
    if options.colorize and not report.colorized:
        yield say("The photo has colors of its own: they were left as they are.")
    if options.restorer != "none" and not faces:
        yield say("No face was found.")
    elif restored < faces and options.weight > 0:
        left = faces - restored
        yield (_sharp if options.only_restore_blurred else _distorted)(left, faces)


def provenance(report: Report, options: Options) -> Provenance | None:
    """What the photo's file says was done to it; None if its picture is the same as before. Always
    the same for the same report and options, so that the bytes of results are, too."""
    faces = bool(report.restored) and options.weight > 0
    background = report.background != "lanczos" and options.background_weight > 0
    model = MODELS.get(report.restorer)
    source = ""
    if faces and (model is None or model.generative):
        source = COMPOSITE
    elif faces or background or report.repaired or report.toned or report.colorized:
        source = ENHANCED
    elif report.output_size == report.source_size:
        return None
    used = {
        "upscale": report.upscale,
        "restorer": report.restorer if faces else "none",
        "background": report.background if background else "lanczos",
    }
    shows = {FACES: faces, BACKGROUND: background}
    chosen = {
        name: getattr(options, name)
        for name, spec in OPTIONS.items()
        if shows.get(spec.group, True)
        and getattr(options, name) != spec.default
        and name not in (*used, *_NO_SETTINGS)
    }
    settings = "; ".join(f"{name}={value}" for name, value in (used | chosen).items())
    return Provenance(source, settings)


def name_taken(name: str) -> Sentence:
    """What a user should know about a result that got a number, because `name` was not free."""
    return say(
        "The name {name} was taken: by another photo's result, or by a file that this program did "
        "not make or that has been changed since.",
        name=name,
    )


def _distorted(count: int, total: int) -> Sentence:
    return say(
        "{count} of {total} faces could not be restored: too distorted.", count=count, total=total
    )


def _sharp(count: int, total: int) -> Sentence:
    if total == 1:
        return say("The face is already sharp and was left unchanged.")
    if count == 1:
        return say("1 of {total} faces is already sharp and was left unchanged.", total=total)
    return say(
        "{count} of {total} faces are already sharp and were left unchanged.",
        count=count,
        total=total,
    )
