"""What the page says of a batch at its top: how far it is, how long it takes."""

from __future__ import annotations

from enhance.estimates import readable
from enhance.sentences import say
from enhance.ui.batch import Batch, Entry
from enhance.ui.batches import Batches
from enhance.ui.estimator import EstimatorSlot


class Headline:
    """Makes the sentences; knows who else is at work."""

    def __init__(self, batches: Batches, estimator: EstimatorSlot) -> None:
        self._batches = batches
        self._estimator = estimator

    def __call__(self, batch: Batch) -> str:
        """One sentence about the batch, to be shown above its photos."""
        total, left = len(batch.entries), batch.remaining
        ahead = self._batches.turns.ahead(batch.key)
        if left and ahead:
            return say(
                "{count} ahead of you in the queue. Your next photo starts in about {time}.",
                count=len(ahead),
                time=readable(self._until_next(ahead)),
            )
        if left:
            place = batch.place(left[0]) + 1
            if self._estimator.value is None:
                return say(
                    "Photo {place} of {total} will start once the models are loaded …",
                    place=place,
                    total=total,
                )
            return say(
                "Enhancing photo {place} of {total}, about {time} left",
                place=place,
                total=total,
                time=readable(self._seconds_left(batch)),
            )
        done = sum(entry.state == "done" for entry in batch.entries)
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

    def _seconds_left(self, batch: Batch) -> float:
        """Until a batch is finished, if all who are here take turns."""
        own = self._seconds(batch, batch.remaining)
        others = (other for other in self._batches.alive() if other is not batch)
        theirs = sum(min(own, self._seconds(other, other.remaining)) for other in others)
        return (own + theirs) / self._batches.engine.replicas

    def _until_next(self, ahead: list[str]) -> float:
        """Until the next photo of each of these batches is done."""
        batches = filter(None, map(self._batches.get, ahead))
        photos = sum(self._seconds(batch, batch.remaining[:1]) for batch in batches)
        return photos / self._batches.engine.replicas

    def _seconds(self, batch: Batch, entries: list[Entry]) -> float:
        estimator = self._estimator.value
        sizes = [entry.size for entry in entries if entry.size]
        return estimator.total(sizes, batch.options_at_work) if estimator else 0.0
