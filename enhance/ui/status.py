"""The progress bar and the table of photos: one HTML widget drawn in the browser from records.

The value is plain data and the template escapes it, so a photo's name can never become markup;
and because Gradio sends only what changed in it, an update costs the same in a batch of any size.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from enhance.estimates import readable
from enhance.ui.batches import Batch, Entry

_TEMPLATE = """
<div class="status" role="status" aria-live="polite">
  <div class="status-headline">{{value.headline}}</div>
  <div class="status-track" role="progressbar" aria-label="Progress" aria-valuemin="0"
       aria-valuemax="100" aria-valuenow="{{value.percent}}">
    <div class="status-bar" style="width: {{value.percent}}%"></div>
  </div>
</div>
{{#if value.rows}}
<div class="photos"><table>
  <thead><tr><th>Photo</th><th>State</th><th>Details</th></tr></thead>
  <tbody>
  {{#each value.rows}}
    <tr><td>{{this.name}}</td>
        <td><span class="state {{this.state}}">{{this.state}}</span></td>
        <td>{{this.detail}}</td></tr>
  {{/each}}
  </tbody>
</table></div>
{{/if}}
"""

_CSS = """
.status-headline { margin-bottom: 6px; font-weight: 600; color: var(--body-text-color); }
.status-track { height: 8px; border-radius: 4px; background: var(--border-color-primary);
                overflow: hidden; }
.status-bar { height: 100%; background: var(--color-accent); transition: width .3s; }
.photos { max-height: 320px; overflow: auto; margin-top: 12px;
          border: 1px solid var(--border-color-primary); border-radius: 8px; }
table { width: 100%; border-collapse: collapse; font-size: var(--text-sm);
        color: var(--body-text-color); }
th, td { text-align: left; padding: 6px 10px; overflow-wrap: anywhere; vertical-align: top;
         border: 0 !important; border-top: 1px solid var(--border-color-primary) !important; }
tr { border: 0 !important; }
th { position: sticky; top: 0; white-space: nowrap; background: var(--background-fill-secondary); }
.state { padding: 1px 8px; border-radius: 10px; white-space: nowrap; color: #1f2937;
         background: #e5e7eb; }
.state.running { background: #fde68a; }
.state.done { background: #bbf7d0; }
.state.failed { background: #fecaca; }
@media (prefers-reduced-motion: reduce) { .status-bar { transition: none; } }
"""


def status_widget() -> gr.HTML:
    """The widget; give it values made by `idle` or `progress`."""
    return gr.HTML(
        idle("Drop photos on the left and press Enhance."),
        html_template=_TEMPLATE,
        css_template=_CSS,
        elem_id="status",
        label="Progress",
    )


def idle(headline: str) -> dict[str, Any]:
    """A headline and an empty bar."""
    return {"headline": headline, "percent": 0, "rows": []}


def progress(batch: Batch, headline: str) -> dict[str, Any]:
    """A batch as it stands."""
    left = len(batch.remaining)
    return {
        "headline": headline,
        "percent": round(100 * (1 - left / len(batch.entries))),
        "rows": [_row(entry) for entry in batch.entries],
    }


def caption(entry: Entry) -> str:
    """What was done to a photo, in one line: name, faces, sizes, seconds."""
    return f"{entry.source.name} · {_detail(entry)}"


def _row(entry: Entry) -> dict[str, str]:
    notes = entry.report.notes if entry.report else ()
    detail = " · ".join([_detail(entry), *notes])
    return {"name": entry.source.name, "state": entry.state, "detail": detail}


def _detail(entry: Entry) -> str:
    if entry.failure:
        return entry.failure.reason
    report = entry.report
    if report is None:
        return ""
    count = len(report.faces)
    faces = "1 face" if count == 1 else f"{count} faces"
    (width, height), (new_width, new_height) = report.source_size, report.output_size
    seconds = readable(sum(report.seconds.values()), tenths=True)
    line = f"{faces} · {width} × {height} → {new_width} × {new_height} · {seconds}"
    return line
