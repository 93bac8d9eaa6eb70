"""The headline and the progress bar: one HTML widget, filled in the browser from plain data."""

from __future__ import annotations

from typing import Any

import gradio as gr

from enhance.web.batches.batch import Batch
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


def progress(batch: Batch, headline: str, seconds: float, language: Language) -> dict[str, Any]:
    """The current state of a batch. seconds: expected for the photo in progress; 0 if there is
    none."""
    left, total = len(batch.remaining), len(batch.entries)
    percent = 100 * (total - left) / total
    soon = percent + (95 / total if seconds else 0)  # not quite: it may take longer than expected
    return _value(headline, round(percent), soon, seconds, language)


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
