"""The headline above a batch, with the time left, and its progress bar: one HTML widget, filled in
the browser from plain data."""

from __future__ import annotations

from typing import Any

import gradio as gr

from enhance.i18n import say
from enhance.pipeline.estimates import readable
from enhance.web.batches.batch import Batch
from enhance.web.batches.entries import Entry
from enhance.web.batches.store import BatchStore
from enhance.web.language import Language, text, translated

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
    left, total = len(batch.remaining), len(batch.entries)
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
    """One sentence about the batch, to be shown above its photos. batches: all on the server."""
    total, left = len(batch.entries), batch.remaining
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
            time=readable(_seconds_left(batch, batches)),
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


def _seconds_of_photo(batch: Batch, batches: BatchStore) -> float:
    """Expected for the photo in progress; 0 if there is none."""
    running = [entry for entry in batch.remaining if entry.state == "running"]
    if batches.waiting_list.ahead(batch.key):
        return 0.0
    return _seconds(batch, running[:1], batches)


def _seconds_left(batch: Batch, batches: BatchStore) -> float:
    """Seconds until a batch is finished if it takes turns with all other batches."""
    own = _seconds(batch, batch.remaining, batches)
    others = (other for other in batches.alive() if other is not batch)
    theirs = sum(min(own, _seconds(other, other.remaining, batches)) for other in others)
    return (own + theirs) / batches.engine.running


def _until_next(ahead: list[str], batches: BatchStore) -> float:
    """Seconds until the next photo of each of these batches is done."""
    before = filter(None, map(batches.get, ahead))
    photos = sum(_seconds(batch, batch.remaining[:1], batches) for batch in before)
    return photos / batches.engine.running


def _seconds(batch: Batch, entries: list[Entry], batches: BatchStore) -> float:
    sizes = [entry.size for entry in entries if entry.size]
    return batches.estimator.seconds(sizes, batch.options_at_work) or 0.0
