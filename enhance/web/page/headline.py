"""The headline above a batch: its progress and the time left."""

from __future__ import annotations

from enhance.estimates import readable
from enhance.i18n import say
from enhance.web.batches.batch import Batch
from enhance.web.batches.entries import Entry
from enhance.web.batches.store import BatchStore


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
    done = len(batch.finished)
    failed = sum(entry.state == "failed" for entry in batch.entries)
    stopped = len(batch.stopped)
    if failed and stopped:
        return say(
            "{done} of {total} photos enhanced, {failed} failed, {stopped} stopped.",
            done=done,
            total=total,
            failed=failed,
            stopped=stopped,
        )
    if failed:
        return say(
            "{done} of {total} photos enhanced, {failed} failed.",
            done=done,
            total=total,
            failed=failed,
        )
    if stopped:
        return say(
            "{done} of {total} photos enhanced, {stopped} stopped.",
            done=done,
            total=total,
            stopped=stopped,
        )
    return say("{done} of {total} photos enhanced.", done=done, total=total)


def seconds_of_photo(batch: Batch, batches: BatchStore) -> float:
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
