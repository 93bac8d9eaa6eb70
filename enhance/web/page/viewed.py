"""What is shown of a batch's photos in the gallery, the viewer and the table, as plain data."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from enhance.i18n import say
from enhance.photos import browser_shows, output_stem
from enhance.pipeline.estimates import readable
from enhance.records import Report
from enhance.web.batches.batch import Batch
from enhance.web.batches.entries import Entry, State, Version
from enhance.web.language import Language, text, translated
from enhance.web.page.labels import labels, taken
from enhance.web.page.look import Tab
from enhance.web.page.presets import LABELS, preset_of
from enhance.web.page.viewer import BEFORE, WORDS, Outline, View, view

COLUMNS = [text("Photo"), text("State"), text("Details")]
"""The headers of the table of `rows`."""

# The signs select the badges' colors in page.css.
_SIGNS: dict[State, str] = {
    "waiting": "○",
    "running": "▸",
    "done": "✓",
    "failed": "✕",
    "stopped": "■",
}
_STATES: dict[State, str] = {
    "new": text("new"),
    "waiting": text("waiting"),
    "running": text("processing"),
    "done": text("done"),
    "failed": text("failed"),
    "stopped": text("stopped"),
}


def pictures(tab: Tab) -> list[dict[str, Any]]:
    """The gallery's value: each photo's result, or the photo itself until there is one."""
    shown = zip(tab.batch.entries, tab.batch.versions(tab.picks), strict=False)
    return [
        {
            "image": _image(_url(version.thumbnail) if version else _preview(tab.batch, index)),
            "caption": caption(entry, tab.language),
        }
        for index, (entry, version) in enumerate(shown)
    ]


def shown_at(tab: Tab, url: object) -> int | None:
    """The index of the photo whose picture in the gallery is at this URL, unchecked, as a browser
    sent it: places change when photos are taken out one after the other."""
    urls = (picture["image"]["url"] for picture in pictures(tab))
    return next((i for i, own in enumerate(urls) if str(url).endswith(own)), None)


def versions(tab: Tab) -> list[dict[str, Any]]:
    """The value of the gallery of versions: the same part of each, at 100 %."""
    found = tab.entry.versions
    return [
        {"image": _image(_url(version.detail)), "caption": _label(number, version, tab.language)}
        for number, version in enumerate(found if len(found) > 1 else ())
    ]


def view_of(tab: Tab) -> dict[str, Any]:
    """The viewer's value: the photo that the tab looks at."""
    batch, language = tab.batch, tab.language
    entry, index, version = tab.entry, tab.index, tab.version
    left, right = tab.sides
    width, height = version.report.output_size if version else entry.size or (480, 360)
    before = entry.before if left is None else entry.versions[left].shown
    can_show = version is not None or entry.state != "failed"
    photo = View(
        name=entry.source.name,
        caption=_details(entry, version, (), language),
        index=index,
        count=len(batch.entries),
        before=_url(before) if can_show and browser_shows(before) else _preview(batch, index),
        after=_url(version.shown) if version else "",
        width=width,
        height=height,
        labels=tuple(labels(version, language)) if version else (),
        busy=entry.pending,
        faces=_outlines(version, language) if version else (),
        left=BEFORE if left is None else str(left),
        right="" if right is None else str(right),
        choices=tuple(
            (str(number), _label(number, version, language))
            for number, version in enumerate(entry.versions)
        ),
        download=_url(version.file) if version else "",
        filename=version.file.name if version else "",
        share=f"{output_stem(entry.source.name)}_before_after.jpg" if version else "",
        marks=_url(version.marks) if version else "",
        sensitivity=version.options.repair_sensitivity if version else 0.5,
        **(_strengths(entry, version) if version and version.layers else {}),
    )
    return view(photo, _words(language))


def _words(language: Language) -> dict[str, str]:
    return {key: translated(word, language) for key, word in WORDS.items()}


def _strengths(entry: Entry, version: Version) -> dict[str, Any]:
    """The strengths that can be changed, and the pictures that show them."""
    faces, background = version.report.restored, version.report.background != "lanczos"
    urls = [_url(path) for path in version.over or ()]
    return {
        "weight": version.options.weight if faces else None,
        "background_weight": version.options.background_weight if background else None,
        "layers": (_url(entry.before), *urls) if urls else (),
    }


def _outlines(version: Version, language: Language) -> tuple[Outline, ...]:
    width, height = version.report.source_size
    outlines = []
    for number, face in enumerate(version.report.faces):
        left, top, right, bottom = face.box
        outlines.append(
            Outline(
                box=(left / width, top / height, right / width, bottom / height),
                label=translated(say("Face {number}", number=number + 1), language),
                on=number in version.report.restored,
                can=number in version.restorable,
            )
        )
    return tuple(outlines)


def _label(number: int, version: Version, language: Language) -> str:
    """A version's number, its preset if it has one, and its settings."""
    report, preset = version.report, preset_of(version.options)
    named = [] if preset == "custom" else [translated(LABELS[preset], language)]
    parts = [*named, f"×{report.upscale:g}", report.restorer, report.background]
    for weight in (version.options.weight, version.options.background_weight):
        if weight < 1:
            parts.append(f"{weight:.0%}")
    return f"{number + 1}: {' · '.join(parts)}"


def _image(url: str) -> dict[str, Any]:
    """A picture in the form that a gallery expects.

    It has no path, for which Gradio would look on the disk again with every photo of the batch.
    """
    return {"url": url, "orig_name": url.rpartition("/")[2]}


def _preview(batch: Batch, index: int) -> str:
    """The URL of a picture of a photo as it was sent; see `routes`."""
    return f"batches/{batch.key}/photos/{batch.entries[index].source.number}"


def _url(path: Path | None) -> str:
    """The file's URL, relative so that it works behind any proxy; empty without a file."""
    return f"gradio_api/file={quote(str(path))}" if path else ""


def caption(entry: Entry, language: Language) -> str:
    """A photo's state, then its name on a line of its own; of a new photo only its name."""
    if entry.state == "new":
        return entry.source.name
    state = translated(_STATES[entry.state], language)
    return f"{_SIGNS[entry.state]} {state}\n{entry.source.name}"


def common_notes(tab: Tab) -> list[str]:
    """What holds for every photo of a batch, such as which models were used."""
    notes = [version.report.notes for version in tab.batch.versions(tab.picks) if version]
    return [note for note in notes[0] if all(note in other for other in notes)] if notes else []


def rows(tab: Tab, common: list[str]) -> list[list[str]]:
    """The table of all photos, without the common notes."""
    shown = zip(tab.batch.entries, tab.batch.versions(tab.picks), strict=False)
    return [_row(entry, version, common, tab.language) for entry, version in shown]


def _row(entry: Entry, version: Version | None, common: list[str], language: Language) -> list[str]:
    notes = (*version.report.reasons.values(), *version.report.notes) if version else ()
    own = [translated(note, language) for note in notes if note not in common]
    state = translated(_STATES[entry.state], language)
    return [entry.source.name, state, " · ".join([details(entry, version, language), *own])]


def details(entry: Entry, version: Version | None, language: Language) -> str:
    """Why the last attempt at a photo failed, if it did, and what was done in this version."""
    return _details(entry, version, tuple(taken(version)) if version else (), language)


def _details(
    entry: Entry, version: Version | None, steps: tuple[str, ...], language: Language
) -> str:
    said = [translated(entry.failure.reason, language)] if entry.failure else []
    if version:
        said += [translated(step, language) for step in steps]
        said.append(_done(version.report, language))
    elif not entry.failure:
        said.append(translated(_STATES[entry.state], language))
    return " · ".join(said)


def _done(report: Report, language: Language) -> str:
    """Number of faces, sizes, seconds."""
    count = len(report.faces)
    faces = say("1 face") if count == 1 else say("{count} faces", count=count)
    (width, height), (new_width, new_height) = report.source_size, report.output_size
    seconds = readable(sum(report.seconds.values()), tenths=True)
    parts = (
        translated(faces, language),
        f"{width} × {height} → {new_width} × {new_height}",
        translated(seconds, language),
    )
    return " · ".join(parts)
