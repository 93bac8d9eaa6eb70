"""The progress bar and the table of photos: one HTML widget filled in the browser from records.

Because Gradio sends only what changed in the value, an update costs the same in a batch of any
size.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from enhance.estimates import readable
from enhance.sentences import say
from enhance.ui.batches import Batch, Entry
from enhance.ui.language import Language, text, translated

# No data in the template: Gradio would run a ${…} in a photo's name as JavaScript.
_TEMPLATE = """
<div class="status" role="status" aria-live="polite">
  <div class="status-headline"></div>
  <div class="status-track" role="progressbar" aria-valuemin="0" aria-valuemax="100">
    <div class="status-bar"></div>
  </div>
</div>
<div class="photos" hidden><table><thead><tr></tr></thead><tbody></tbody></table></div>
"""
_FILL = """
const find = (selector) => element.querySelector(selector);
const cells = (row, count, tag) => {
  while (row.children.length < count) row.append(document.createElement(tag));
  return row.children;
};
const fill = () => {
  const value = props.value;
  find(".status-headline").textContent = value.headline;
  find(".status-track").ariaLabel = value.label;
  find(".status-track").ariaValueNow = value.percent;
  find(".status-bar").style.width = `${value.percent}%`;
  find(".photos").hidden = !value.rows.length;
  value.columns.forEach((column, i) => {
    cells(find("thead tr"), value.columns.length, "th")[i].textContent = column;
  });
  const body = find("tbody");
  while (body.children.length > value.rows.length) body.lastChild.remove();
  value.rows.forEach((row, i) => {
    if (!body.children[i]) body.append(document.createElement("tr"));
    const [name, state, detail] = cells(body.children[i], 3, "td");
    if (!state.firstChild) state.append(document.createElement("span"));
    name.textContent = row.name;
    state.firstChild.className = `state ${row.state}`;
    state.firstChild.textContent = row.word;
    detail.textContent = row.detail;
  });
};
watch("value", fill);
fill();
"""

_CSS = """
.status-headline { margin-bottom: 6px; font-weight: 600; color: var(--body-text-color); }
.status-track { height: 8px; border-radius: 4px; background: var(--border-color-primary);
                overflow: hidden; }
.status-bar { height: 100%; background: var(--color-accent); transition: width .3s; }
.photos { max-height: 320px; overflow: auto; margin-top: 12px;
          border: 1px solid var(--border-color-primary); border-radius: 8px; }
table { width: 100%; border: 0 !important; border-collapse: collapse; font-size: var(--text-sm);
        color: var(--body-text-color); }
th, td { text-align: left; padding: 6px 10px; overflow-wrap: anywhere; vertical-align: top;
         border: 0 !important; border-top: 1px solid var(--border-color-primary) !important; }
tr { border: 0 !important; }
th { position: sticky; top: 0; white-space: nowrap; background: var(--background-fill-secondary); }
td:first-child { width: 25%; }
.state { padding: 1px 8px; border-radius: 10px; white-space: nowrap; color: #1f2937;
         background: #e5e7eb; }
.state.running { background: #fde68a; }
.state.done { background: #bbf7d0; }
.state.failed { background: #fecaca; }
@media (prefers-reduced-motion: reduce) { .status-bar { transition: none; } }
"""


_STATES = {
    "waiting": text("waiting"),
    "running": text("in work"),
    "done": text("done"),
    "failed": text("failed"),
    "stopped": text("stopped"),
}


def status_widget() -> gr.HTML:
    """The widget; give it values made by `idle` or `progress`."""
    return gr.HTML(
        idle("", "en"),
        html_template=_TEMPLATE,
        css_template=_CSS,
        js_on_load=_FILL,
        elem_id="status",
    )


def idle(headline: str, language: Language) -> dict[str, Any]:
    """A headline and an empty bar."""
    return _value(headline, 0, [], language)


def progress(batch: Batch, headline: str, language: Language) -> dict[str, Any]:
    """A batch as it stands."""
    left = len(batch.remaining)
    percent = round(100 * (1 - left / len(batch.entries)))
    return _value(headline, percent, [_row(entry, language) for entry in batch.entries], language)


def caption(entry: Entry, language: Language) -> str:
    """A photo's name and what was done to it, in one line."""
    return f"{entry.source.name} · {details(entry, language)}"


def _value(
    headline: str, percent: int, rows: list[dict[str, str]], language: Language
) -> dict[str, Any]:
    return {
        "headline": translated(headline, language),
        "label": translated("Progress", language),
        "percent": percent,
        "columns": [translated(word, language) for word in ("Photo", "State", "Details")],
        "rows": rows,
    }


def _row(entry: Entry, language: Language) -> dict[str, str]:
    version = entry.version
    notes = version.report.notes if version else ()
    said = [details(entry, language), *(translated(note, language) for note in notes)]
    return {
        "name": entry.source.name,
        "state": entry.state,
        "word": translated(_STATES[entry.state], language),
        "detail": " · ".join(said),
    }


def details(entry: Entry, language: Language) -> str:
    """What was done to a photo: faces, sizes, seconds; or why it failed."""
    if entry.failure:
        return translated(entry.failure.reason, language)
    version = entry.version
    if version is None:
        return translated("Quick preview", language) if entry.draft else ""
    report = version.report
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
