"""The headline above a batch, with the time left, and its progress bar: one HTML widget, filled in
the browser from plain data."""

from __future__ import annotations

from typing import Any

import gradio as gr

from enhance.i18n import say
from enhance.options import Options
from enhance.pipeline.estimates import readable
from enhance.web.batches.batch import Batch
from enhance.web.batches.entries import Entry
from enhance.web.batches.store import BatchStore
from enhance.web.language import Language, text, translated

_JUDGES = 20  # photos by which the rest of a batch is judged

# No data in the template: Gradio would draw the widget anew with each value.
_TEMPLATE = """
<div class="status" role="status" aria-live="polite">
  <div class="headline"></div>
  <div class="track" role="progressbar" aria-valuemin="0" aria-valuemax="100">
    <div class="bar"></div>
  </div>
</div>
"""
_FILL = """
const find = (selector) => element.querySelector(selector);
const fill = () => {
  const { headline, label, percent, soon, seconds } = props.value;
  find(".headline").textContent = headline;
  find(".track").ariaLabel = label;
  find(".track").ariaValueNow = percent;
  // Move to what is done, then on to where the photo in progress will end. Four steps a second: a
  // transition draws sixty, with a processor that the model may be waiting for.
  const started = performance.now();
  const move = () => {
    const share = seconds ? Math.min((performance.now() - started) / 1000 / seconds, 1) : 1;
    find(".bar").style.transform = `scaleX(${(percent + share * (soon - percent)) / 100})`;
    if (share === 1 || !element.isConnected) clearInterval(element.moving);
  };
  clearInterval(element.moving);
  element.moving = setInterval(move, 250);
  move();
};
watch("value", fill);
fill();
"""

_CSS = """
.headline { margin-bottom: 8px; font-size: var(--text-lg); font-weight: 600;
            color: var(--body-text-color); min-height: 1.5em; }
.track { height: 8px; border-radius: 4px; background: var(--border-color-primary);
         overflow: hidden; }
.bar { height: 100%; background: var(--color-accent); transform: scaleX(0);
       transform-origin: left; }
"""


def status_widget() -> gr.HTML:
    """The widget; give it values made by `progress`."""
    return gr.HTML(
        _value("", 0, 0, 0, "en"),
        html_template=_TEMPLATE,
        css_template=_CSS,
        js_on_load=_FILL,
        elem_id="status",
    )


def progress(
    batch: Batch, batches: BatchStore, language: Language, said: str = ""
) -> dict[str, Any]:
    """How far a batch is, under the headline or under `said` in its place. batches: all on the
    server."""
    seconds = _seconds_of_photo(batch, batches)
    left, total = len(batch.remaining), max(1, len(_begun(batch)))
    percent = 100 * (total - left) / total
    soon = percent + (95 / total if seconds else 0)  # not quite: it may take longer than expected
    return _value(said or headline(batch, batches), round(percent), soon, seconds, language)


def _value(
    headline: str, percent: int, soon: float, seconds: float, language: Language
) -> dict[str, Any]:
    return {
        "headline": translated(headline, language),
        "label": translated(text("Progress"), language),
        "percent": percent,
        "soon": soon,
        "seconds": seconds,
    }


def headline(batch: Batch, batches: BatchStore) -> str:
    """One sentence about the batch, to be shown below its photos, or none if it was not begun.
    batches: all on the server."""
    total, left = len(_begun(batch)), batch.remaining
    if not total:
        return ""
    ahead = batches.waiting_list.ahead(batch.key)
    if left and ahead:
        return say(
            "{count} ahead of you in the queue. Your next photo starts in about {time}.",
            count=len(ahead),
            time=readable(_until_next(ahead, batches)),
        )
    if left:
        number = batch.index(left[0]) + 1
        if not batches.estimator.ready:
            return say(
                "Photo {place} of {total} will start once the models are loaded …",
                place=number,
                total=total,
            )
        return say(
            "Enhancing photo {place} of {total}, about {time} left",
            place=number,
            total=total,
            time=readable(seconds_left(batch, left, batch.options_at_work, batches)),
        )
    failed = sum(entry.state == "failed" for entry in batch.entries)
    stopped = len(batch.stopped)
    return say(
        "{done} of {total} photos enhanced{failed}{stopped}.",
        done=len(batch.finished),
        total=total,
        failed=say(", {count} failed", count=failed) if failed else "",
        stopped=say(", {count} stopped", count=stopped) if stopped else "",
    )


def _begun(batch: Batch) -> list[Entry]:
    """The photos without those that were added since the work began."""
    return [entry for entry in batch.entries if entry.state != "new"]


def _seconds_of_photo(batch: Batch, batches: BatchStore) -> float:
    """Expected for the photo in progress; 0 if there is none."""
    running = [entry for entry in batch.remaining if entry.state == "running"]
    if not running or batches.waiting_list.ahead(batch.key):
        return 0.0
    return _seconds(batch, running[:1], batch.options_at_work, batches)


def seconds_left(
    batch: Batch, entries: list[Entry], options: Options, batches: BatchStore
) -> float:
    """Seconds until these photos of a batch are done if it takes turns with all other batches,
    photo by photo."""
    own = _seconds(batch, entries, options, batches)
    others = (other for other in batches.alive() if other is not batch)
    theirs = sum(_seconds_of_next(other, len(entries), batches) for other in others)
    return (own + theirs) / batches.engine.running


def _until_next(ahead: list[str], batches: BatchStore) -> float:
    """Seconds until the next photo of each of these batches is done."""
    before = filter(None, map(batches.get, ahead))
    return sum(_seconds_of_next(batch, 1, batches) for batch in before) / batches.engine.running


def _seconds_of_next(batch: Batch, count: int, batches: BatchStore) -> float:
    return _seconds(batch, batch.remaining[:count], batch.options_at_work, batches)


def _seconds(batch: Batch, entries: list[Entry], options: Options, batches: BatchStore) -> float:
    """Judged by the last photos of the batch that are done, if there are any."""
    sizes = [entry.size for entry in entries if entry.size]
    done = [(one.report, one.options) for one in (each.version for each in batch.entries) if one]
    return batches.estimator.seconds_like(done[-_JUDGES:], sizes, options) or 0.0
