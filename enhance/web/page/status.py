"""The progress bar and the table of photos: one HTML widget, filled in the browser from plain data.

Gradio sends only what changed in the value, so an update costs the same in a batch of any size.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from enhance.estimates import readable
from enhance.i18n import say
from enhance.records import Report
from enhance.web.batches.batch import Batch, Entry
from enhance.web.language import Language, text, translated

# No data in the template: Gradio would run a ${…} in a photo's name as JavaScript.
_TEMPLATE = """
<div class="status" role="status" aria-live="polite">
  <div class="status-headline"></div>
  <div class="status-track" role="progressbar" aria-valuemin="0" aria-valuemax="100">
    <div class="status-bar"></div>
  </div>
</div>
<div class="photos" hidden><table role="table">
  <thead role="rowgroup"><tr role="row"></tr></thead><tbody role="rowgroup"></tbody>
</table></div>
"""
_FILL = """
const find = (selector) => element.querySelector(selector);
// The rows are grids, and browsers then no longer treat this as a table: hence the roles.
const make = (tag, role) => Object.assign(document.createElement(tag), { role });
const cells = (row, tag, role) => {
  while (row.children.length < 3) row.append(make(tag, role));
  return row.children;
};
// Only set what is new: browsers redo the layout even if the text is the same as before.
const put = (node, text) => {
  if (node.textContent !== text) node.textContent = text;
};
const fill = () => {
  const value = props.value;
  put(find(".status-headline"), value.headline);
  find(".status-track").ariaLabel = value.label;
  find(".status-track").ariaValueNow = value.percent;
  find(".status-bar").style.transform = `scaleX(${value.percent / 100})`;
  find(".photos").hidden = find(".status-track").hidden = !value.rows.length;
  value.columns.forEach((column, i) => {
    put(cells(find("thead tr"), "th", "columnheader")[i], column);
  });
  const body = find("tbody");
  while (body.children.length > value.rows.length) body.lastChild.remove();
  value.rows.forEach((row, i) => {
    if (!body.children[i]) body.append(make("tr", "row"));
    const [name, state, detail] = cells(body.children[i], "td", "cell");
    if (!state.firstChild) state.append(document.createElement("span"));
    put(name, row.name);
    put(state.firstChild, row.word);
    put(detail, row.detail);
    state.firstChild.className = `state ${row.state}`;
  });
};
watch("value", fill);
fill();
"""

_CSS = """
.status-headline { margin-bottom: 6px; font-weight: 600; color: var(--body-text-color); }
.status-track { height: 8px; border-radius: 4px; background: var(--border-color-primary);
                overflow: hidden; }
.status-bar { height: 100%; background: var(--color-accent); transform: scaleX(0);
              transform-origin: left; transition: transform .3s; }
.photos { max-height: 320px; overflow: auto; margin-top: 12px;
          border: 1px solid var(--border-color-primary); border-radius: 8px; }
table { display: block; border: 0 !important; font-size: var(--text-sm);
        color: var(--body-text-color); }
thead, tbody { display: block; }
thead { position: sticky; top: 0; z-index: 1; background: var(--background-fill-secondary); }
/* Only the rows in view are laid out. A real table would be laid out as a whole with every change
   of the page. */
tr { display: grid; grid-template-columns: minmax(0, 5fr) minmax(70px, 2fr) minmax(0, 13fr);
     border: 0 !important; content-visibility: auto; contain-intrinsic-size: auto 33px; }
th, td { text-align: left; padding: 6px 10px; overflow-wrap: anywhere; border: 0 !important; }
th { overflow-wrap: normal; white-space: nowrap; }
tbody tr { border-top: 1px solid var(--border-color-primary) !important; }
.state { padding: 1px 8px; border-radius: 10px; white-space: nowrap; color: #1f2937;
         background: #e5e7eb; }
.state.running { background: #fde68a; }
.state.done { background: #bbf7d0; }
.state.failed { background: #fecaca; }
@media (prefers-reduced-motion: reduce) { .status-bar { transition: none; } }
"""


_STATES = {
    "waiting": text("waiting"),
    "running": text("processing"),
    "done": text("done"),
    "failed": text("failed"),
    "stopped": text("stopped"),
}
_COLUMNS = (text("Photo"), text("State"), text("Details"))


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
    """The current state of a batch."""
    left = len(batch.remaining)
    percent = round(100 * (1 - left / len(batch.entries)))
    return _value(headline, percent, [_row(entry, language) for entry in batch.entries], language)


def caption(entry: Entry, language: Language) -> str:
    """A photo's name, and whether there is only a preview of it: more does not fit a thumbnail."""
    name = entry.source.name
    return name if entry.version else f"{translated('Quick preview', language)} · {name}"


def _value(
    headline: str, percent: int, rows: list[dict[str, str]], language: Language
) -> dict[str, Any]:
    return {
        "headline": translated(headline, language),
        "label": translated("Progress", language),
        "percent": percent,
        "columns": [translated(word, language) for word in _COLUMNS],
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
    """Why the last attempt at a photo failed, if it did, and what was done in the chosen one."""
    said = [translated(entry.failure.reason, language)] if entry.failure else []
    if entry.version:
        said.append(_done(entry.version.report, language))
    elif entry.draft and not entry.failure:
        said.append(translated("Quick preview", language))
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
