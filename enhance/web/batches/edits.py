"""What can be changed of a finished photo without running a model: faces, strengths, marks."""

import time
from collections.abc import Collection, Iterable
from dataclasses import replace

from enhance.limits import Limits
from enhance.networks import heap
from enhance.pipeline.layers import repaste
from enhance.repair.marks import Stroke, as_picture, brushed, from_picture
from enhance.web.batches.batch import Batch
from enhance.web.batches.entries import Entry, Version, saving


def change(
    batch: Batch,
    entry: Entry,
    version: Version,
    limits: Limits,
    *,
    keep: Collection[int] | None = None,
    **strengths: float,
) -> None:
    """Make a version anew from its layers: other faces or other strengths.

    keep: the faces (indices in the report) to restore; None: as they are. strengths: `weight` and
    `background_weight`, of the options. Raises EnhanceError, also if the result cannot be saved.
    """
    assert version.layers is not None
    old = {version.file, version.shown, version.thumbnail, version.detail}
    options = replace(version.options, **strengths)  # type: ignore[arg-type]
    kept = version.report.restored if keep is None else keep
    with saving(entry.source.name):
        blob = version.layers.read_bytes()
        done = repaste(entry.source, blob, version.report, options, limits, kept)
        heap.give_back()
        # Under a new path, because browsers cache what they have loaded.
        file = entry.save(version.file.name, done.data)
        with batch.lock:  # so that an archive gets the old file or the new one
            entry.picture(version, file, done.views)
            version.report = done.report
    version.options = options
    for path in old - {version.file, version.shown, version.thumbnail, version.detail}:
        path.unlink(missing_ok=True)
    batch.touched = time.monotonic()


def mark(entry: Entry, version: Version, strokes: Iterable[Stroke]) -> None:
    """Change the marks of a version with a brush. When the photo is enhanced again, they are
    what is repaired. Raises NotSaved if they can no longer be read."""
    assert version.marks is not None
    with saving(entry.source.name):
        marks = from_picture(version.marks.read_bytes())
    entry.marks = as_picture(brushed(marks, strokes))
