"""What is shown of a batch's photos in the gallery, the viewer and the table, as plain data."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from enhance.i18n import say
from enhance.options import OPTIONS
from enhance.photos import browser_shows
from enhance.pipeline.estimates import readable
from enhance.web.batches.batch import Batch
from enhance.web.batches.entries import Entry, State, Version
from enhance.web.language import Language, text, translated
from enhance.web.page.labels import labels, taken
from enhance.web.page.look import Tab
from enhance.web.page.presets import LABELS, preset_of
from enhance.web.page.viewer import BEFORE, Outline, View

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
    """The gallery's value: each photo's result, or the photo itself until there is one. Captions
    are a photo's state, then its name on a line of its own; of a new photo only its name."""
    value = []
    for entry, version in zip(tab.batch.entries, tab.batch.versions(tab.picks), strict=False):
        url = _url(version.thumbnail) if version else _preview(tab.batch, entry)
        caption = entry.source.name
        if entry.state != "new":
            state = translated(_STATES[entry.state], tab.language)
            caption = f"{_SIGNS[entry.state]} {state}\n{caption}"
        # It has no path, for which Gradio would look on the disk again with every photo.
        value.append({"image": {"url": url}, "caption": caption})
    return value


def shown_at(tab: Tab, picture: object) -> int | None:
    """The index of the photo that has this picture in the gallery, unchecked, as a browser sent it:
    places change when photos are taken out, one after the other or in another tab."""
    url = str(picture.get("url")) if isinstance(picture, dict) else ""
    urls = (picture["image"]["url"] for picture in pictures(tab))
    return next((i for i, own in enumerate(urls) if url.endswith(own)), None)


def versions(tab: Tab) -> list[dict[str, Any]]:
    """The value of the gallery of versions: the same part of each, at 100 %."""
    found = tab.entry.versions
    return [
        {"image": {"url": _url(version.detail)}, "caption": label}
        for version, label in zip(found, _labels(tab.entry, tab.language), strict=True)
        if len(found) > 1
    ]


def view_of(tab: Tab) -> dict[str, Any]:
    """The viewer's value: the photo that the tab looks at."""
    entry, version, language = tab.entry, tab.version, tab.language
    left, right = tab.sides
    before = entry.before if left is None else entry.versions[left].shown
    can_show = browser_shows(before) and (version or (entry.size and entry.state != "failed"))
    width, height = entry.size or (480, 360)
    photo = View(
        name=entry.source.name,
        caption=_caption(entry, version, language),
        index=tab.batch.entries.index(entry),
        count=len(tab.batch.entries),
        before=_url(before) if can_show else _preview(tab.batch, entry),
        after="",
        width=width,
        height=height,
        changed=tab.look.changed,
        busy=entry.pending,
    )
    if version is None:
        return asdict(photo)
    width, height = version.report.source_size
    outlines = []
    for number, face in enumerate(version.report.faces):
        x1, y1, x2, y2 = face.box
        box = x1 / width, y1 / height, x2 / width, y2 / height
        label = translated(say("Face {number}", number=number + 1), language)
        on, can = number in version.report.restored, number in version.restorable
        outlines.append(Outline(box, label, on, can))
    choices = [(str(i), label) for i, label in enumerate(_labels(entry, language))]
    width, height = version.report.output_size
    enhanced = replace(
        photo,
        after=_url(version.shown),
        width=width,
        height=height,
        labels=tuple(labels(version, language)),
        faces=tuple(outlines),
        left=BEFORE if left is None else str(left),
        right=str(right),
        choices=tuple(choices),
        download=_url(version.file),
        marks=_url(version.marks),
        sensitivity=version.options.repair_sensitivity,
    )
    return asdict(enhanced)


def _caption(entry: Entry, version: Version | None, language: Language) -> str:
    """What is said below a photo, whose steps the labels say: if there are none, why."""
    said = [details(entry, version, language, steps=False)]
    if version:
        report = version.report
        why = [] if taken(version) else [report.reasons.get("background", "")]
        said += [translated(note, language) for note in filter(None, (*why, *report.notes))]
    return " · ".join(said)


def _labels(entry: Entry, language: Language) -> list[str]:
    """For each version of a photo its number, and what tells it from the others."""
    every = [list(_traits(version, language)) for version in entry.versions]
    labels = []
    for number, traits in enumerate(every, 1):
        own = [trait for trait in traits if not all(trait in other for other in every)]
        labels.append(" · ".join([f"{number}: {own[0]}", *own[1:]]) if own else f"{number}")
    return labels


def _traits(version: Version, language: Language) -> Iterator[str]:
    """A version's preset if it has one, what was done, and its settings."""
    report, options = version.report, version.options
    if (preset := preset_of(options)) != "custom":
        yield translated(LABELS[preset], language)
    yield from (translated(step, language) for step in taken(version))
    yield from (f"×{report.upscale:g}", report.restorer, report.background)
    for name in ("weight", "background_weight"):
        if (weight := getattr(options, name)) < 1:
            yield f"{translated(OPTIONS[name].label, language)} {weight:.0%}"


def _preview(batch: Batch, entry: Entry) -> str:
    """The URL of a picture of a photo as it was sent; see `routes`."""
    return f"batches/{batch.key}/photos/{entry.source.number}"


def _url(path: Path | None) -> str:
    """The file's URL, relative so that it works behind any proxy; empty without a file."""
    return f"gradio_api/file={quote(str(path))}" if path else ""


def common_notes(tab: Tab) -> list[str]:
    """What holds for every photo of a batch, such as which models were used."""
    notes = [_said(version) for version in tab.batch.versions(tab.picks) if version]
    return [note for note in notes[0] if all(note in other for other in notes)] if notes else []


def _said(version: Version | None) -> list[str]:
    """Why a version was made as it was, and what else there is to know."""
    return [*version.report.reasons.values(), *version.report.notes] if version else []


def rows(tab: Tab, common: list[str]) -> list[list[str]]:
    """The table of all photos, without the common notes."""
    table = []
    for entry, version in zip(tab.batch.entries, tab.batch.versions(tab.picks), strict=False):
        own = [translated(note, tab.language) for note in _said(version) if note not in common]
        parts = details(entry, version, tab.language), " ".join(own)
        said = " · ".join(filter(None, parts))
        table.append([entry.source.name, translated(_STATES[entry.state], tab.language), said])
    return table


def details(
    entry: Entry, version: Version | None, language: Language, *, steps: bool = True
) -> str:
    """Why the last attempt at a photo failed, if it did, and what was done in this version: its
    steps, if wanted, the number of faces, sizes, seconds."""
    said = [entry.failure.reason] if entry.failure else []
    if version:
        report, count = version.report, len(version.report.faces)
        (width, height), (new_width, new_height) = report.source_size, report.output_size
        said += taken(version) if steps else ()
        if count:
            said.append(say("1 face") if count == 1 else say("{count} faces", count=count))
        said += [
            f"{width} × {height} → {new_width} × {new_height}",
            readable(sum(report.seconds.values()), tenths=True),
        ]
    elif not entry.failure:
        said.append(_STATES[entry.state] if entry.size else text("not a photo that can be read"))
    return " · ".join(translated(part, language) for part in said)
