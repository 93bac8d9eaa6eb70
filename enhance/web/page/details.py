"""What is said about each photo: a badge on its picture, a line in the viewer, a table row."""

from __future__ import annotations

from enhance.estimates import readable
from enhance.i18n import say
from enhance.records import Report
from enhance.web.batches.entries import Entry, State, Version
from enhance.web.language import Language, text, translated
from enhance.web.page.look import Tab

COLUMNS = [text("Photo"), text("State"), text("Details")]
"""The headers of the table of `rows`."""

# The signs select the badges' colours in page.css.
_SIGNS: dict[State, str] = {
    "waiting": "○",
    "running": "▸",
    "done": "✓",
    "failed": "✕",
    "stopped": "■",
}
_STATES: dict[State, str] = {
    "waiting": text("waiting"),
    "running": text("processing"),
    "done": text("done"),
    "failed": text("failed"),
    "stopped": text("stopped"),
}


def caption(entry: Entry, language: Language) -> str:
    """A photo's state, then its name on a line of its own."""
    quick = entry.draft and not entry.version and entry.state in ("waiting", "running")
    state = text("quick preview") if quick else _STATES[entry.state]
    return f"{_SIGNS[entry.state]} {translated(state, language)}\n{entry.source.name}"


def common_notes(tab: Tab) -> list[str]:
    """What holds for every photo of a batch, such as which models were used."""
    notes = [version.report.notes for version in tab.batch.versions(tab.picks) if version]
    return [note for note in notes[0] if all(note in other for other in notes)] if notes else []


def rows(tab: Tab, common: list[str]) -> list[list[str]]:
    """The table of all photos, without the common notes."""
    shown = zip(tab.batch.entries, tab.batch.versions(tab.picks), strict=True)
    return [_row(entry, version, common, tab.language) for entry, version in shown]


def _row(entry: Entry, version: Version | None, common: list[str], language: Language) -> list[str]:
    notes = version.report.notes if version else ()
    own = [translated(note, language) for note in notes if note not in common]
    state = translated(_STATES[entry.state], language)
    return [entry.source.name, state, " · ".join([details(entry, version, language), *own])]


def details(entry: Entry, version: Version | None, language: Language) -> str:
    """Why the last attempt at a photo failed, if it did, and what was done in this version."""
    said = [translated(entry.failure.reason, language)] if entry.failure else []
    if version:
        said.append(_done(version.report, language))
    elif not entry.failure:
        said.append(translated(_STATES[entry.state], language))
    return " · ".join(said)


def _done(report: Report, language: Language) -> str:
    """What was done to a photo: number of faces, sizes, seconds."""
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
