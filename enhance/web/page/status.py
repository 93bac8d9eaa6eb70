"""The headline above a batch, with the time left, and its progress bar: one HTML widget, filled in
the browser from plain data."""

import time
from dataclasses import replace
from functools import partial
from typing import Any

import gradio as gr

from enhance.i18n import say
from enhance.options import Options
from enhance.pipeline.estimates import readable
from enhance.web.batches.batch import Batch
from enhance.web.batches.entries import Entry
from enhance.web.batches.store import BatchStore
from enhance.web.language import Language, text, translated
from enhance.web.page.widgets import html_widget

_JUDGES = 20  # photos by which the rest of a batch is judged


def status_widget() -> gr.HTML:
    """The widget; give it values made by `progress`."""
    nothing = {"headline": "", "percent": 0, "soon": 0, "seconds": 0, "at": 0}
    return html_widget("status", nothing, name=text("Progress"))


def progress(
    batch: Batch, batches: BatchStore, language: Language, said: str = ""
) -> dict[str, Any]:
    """How far a batch is, under the headline or under `said` in its place. batches: all on the
    server."""
    left, total = batch.remaining, max(1, sum(entry.state != "new" for entry in batch.entries))
    stopped = sum(entry.state == "stopped" for entry in batch.entries)
    percent, seconds, gone = 100 * (total - len(left) - stopped) / total, 0.0, 0.0
    # Not quite where the photo ends: it may take longer than expected.
    soon = percent + 95 / total
    if not batches.waiting_list.ahead(batch.key):
        seconds, gone = _at_work(batch)
    if seconds:
        percent += gone / seconds * (soon - percent)
    return {
        "headline": translated(said or headline(batch, batches, gone), language),
        "percent": round(percent, 1),
        "soon": soon if seconds else percent,
        "seconds": seconds - gone,
        "at": time.time(),
    }


def headline(batch: Batch, batches: BatchStore, gone: float = 0.0) -> str:
    """One sentence about the batch, to be shown below its photos, or none if it was not begun.
    batches: all on the server. gone: seconds since the photo at work was begun."""
    # Without photos that were added since the work began.
    total, left = sum(entry.state != "new" for entry in batch.entries), batch.remaining
    if not total:
        return ""
    ahead = batches.waiting_list.ahead(batch.key)
    if left and ahead:
        before = filter(None, map(batches.get, ahead))
        seconds = sum(_seconds(each, each.remaining[:1]) for each in before)
        return say(
            "{count} ahead of you in the queue. Your next photo starts in about {time}.",
            count=len(ahead),
            time=readable(seconds / batches.engine.running),
        )
    if left:
        number = batch.entries.index(left[0]) + 1
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
            time=readable(seconds_left(batch, left, batch.options_at_work, batches) - gone),
        )
    failures = [entry.failure for entry in batch.entries if entry.failure]
    failed = len(failures)
    stopped = sum(entry.state == "stopped" for entry in batch.entries)
    return say(
        "{done} of {total} photos enhanced{failed}{stopped}.{reason}",
        done=len(batch.finished),
        total=total,
        failed=say(", {count} failed", count=failed) if failed else "",
        stopped=say(", {count} stopped", count=stopped) if stopped else "",
        reason=say(" {reason}", reason=failures[0].reason) if failed else "",
    )


def seconds_left(
    batch: Batch, entries: list[Entry], options: Options, batches: BatchStore
) -> float:
    """Seconds until these photos of a batch are done if it takes turns with all other batches,
    photo by photo."""
    seconds = _seconds(batch, entries, options)
    for other in batches.alive():
        if other is not batch:
            seconds += _seconds(other, other.remaining[: len(entries)])
    return seconds / batches.engine.running


def _at_work(batch: Batch) -> tuple[float, float]:
    """Seconds for the photo at work, and how many of them are gone; 0 if there is none."""
    running = [entry for entry in batch.remaining if entry.state == "running"]
    if not running:
        return 0.0, 0.0
    seconds = _seconds(batch, running[:1])
    return seconds, min(seconds, time.monotonic() - batch.progressed)


def _seconds(batch: Batch, entries: list[Entry], options: Options | None = None) -> float:
    """Seconds for these photos with these options, or those at work. Judged by the last photos of
    the batch that are done, if there are any."""
    used, changing = options or batch.options_at_work, set(batch.changing)
    done = [(one.report, one.made_with) for one in (each.version for each in batch.entries) if one]
    plain = replace(
        used, restorer="none", background="lanczos", repair="off", tone="off", colorize=0
    )
    sizes: dict[Options, list[tuple[int, int]]] = {}
    for entry in entries:
        if entry.size:
            sizes.setdefault(plain if entry in changing else used, []).append(entry.size)
    like = partial(batch.estimator.seconds_like, done[-_JUDGES:])
    return sum(like(some, kind) or 0.0 for kind, some in sizes.items())
