"""`enhance watch`: looks into a folder again and again, and does the photos that have come to rest.

It looks rather than waits to be told, because network shares and stores tell nobody. A photo is
taken when its size and version are the same at two looks in a row. One that is cut off all the same
fails, and one that changes while it is being done is taken again as soon as it has come to rest.
Whatever fails, such as everything when the disk is full, is tried again after a pause that doubles
each time; if a folder cannot be reached, the next look tries again.

Only the manifest says what is done, so the process may be killed at any moment.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from enhance.jobs.console import Counts, Show
from enhance.jobs.folder import Entry
from enhance.jobs.results import Results
from enhance.jobs.run import handled_by
from enhance.jobs.sources import Photos

_LONGEST_PAUSE = 3600  # seconds between two attempts at a photo that fails


@dataclass(frozen=True)
class _Waiting:
    """A photo that is not done. state: its size and version at the last look. due: when to take it,
    by the monotonic clock. pause: how many seconds to wait if it fails then."""

    state: tuple[int, str]
    due: float
    pause: float


def watch(
    look: Callable[[], Photos],
    do: Callable[[Photos], tuple[Counts, int]],
    results: Results,
    every: float,
    once: bool,
    *,
    show: Show,
) -> tuple[bool, int]:
    """Do photos as they come, until a signal arrives.

    look: lists the photos. do: does some of them, see `work`. every: seconds between two looks.
    once: look only twice. Returns whether nothing failed after the last look, and the number of the
    signal that stopped the work, or 0; a signal at any other time raises SystemExit.
    """
    waiting: dict[str, _Waiting] = {}
    trouble = ""
    with handled_by(lambda number, _: sys.exit(128 + number)):
        for number in count(1):
            counts, missed, stopped_by = Counts(), 0, 0
            try:
                results.check()
                photos = look()
                missed = photos.missed
                photos.entries, waiting = _taken(photos.entries, waiting, results, every)
                if photos.entries:
                    counts, stopped_by = do(photos)
                trouble = ""
            except BrokenPipeError:  # nobody reads what is printed
                raise
            except OSError as error:
                if trouble != (trouble := str(error)):
                    show.trouble(trouble)
            if stopped_by or (once and (number == 2 or not waiting)):
                break
            time.sleep(every)
    return not (counts.failed or missed or trouble), stopped_by


def _taken(
    entries: list[Entry], before: dict[str, _Waiting], results: Results, every: float
) -> tuple[list[Entry], dict[str, _Waiting]]:
    """The photos to do now, and all that are not done by their source; before: at the last look."""
    taken, waiting = [], {}
    now = time.monotonic()
    for entry in entries:
        if results.find(entry) is not None:
            continue
        state = entry.size, entry.version
        known = before.get(entry.source)
        if known is None or known.state != state:
            known = _Waiting(state, now, every)
        elif now >= known.due:
            taken.append(entry)
            known = _Waiting(state, now + known.pause, min(2 * known.pause, _LONGEST_PAUSE))
        waiting[entry.source] = known
    return taken, waiting
