"""What is said about each photo: a badge on its picture, a line in the viewer, a table row."""

from __future__ import annotations

from enhance.estimates import readable
from enhance.i18n import say
from enhance.records import Report
from enhance.web.batches.batch import Batch
from enhance.web.batches.entries import Entry, State
from enhance.web.language import Language, text, translated

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


def common_notes(batch: Batch) -> list[str]:
    """What holds for every photo of a batch, such as which models were used."""
    notes = [entry.version.report.notes for entry in batch.finished if entry.version]
    return [note for note in notes[0] if all(note in other for other in notes)] if notes else []


def rows(batch: Batch, common: list[str], language: Language) -> list[list[str]]:
    """The table of all photos, without the common notes."""
    return [_row(entry, common, language) for entry in batch.entries]


def _row(entry: Entry, common: list[str], language: Language) -> list[str]:
    notes = entry.version.report.notes if entry.version else ()
    own = [translated(note, language) for note in notes if note not in common]
    state = translated(_STATES[entry.state], language)
    return [entry.source.name, state, " · ".join([details(entry, language), *own])]


def details(entry: Entry, language: Language) -> str:
    """Why the last attempt at a photo failed, if it did, and what was done in the chosen one."""
    said = [translated(entry.failure.reason, language)] if entry.failure else []
    if entry.version:
        said.append(_done(entry.version.report, language))
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
