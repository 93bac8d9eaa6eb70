"""What the command prints: progress, finished photos, failures and totals."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TextIO

from tqdm import tqdm

from enhance.records import Failure, Result

# Characters that a terminal obeys or that reorder a line, as a photo's name may contain.
_OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """The text with escapes for what a terminal would obey."""
    return _OBEYED.sub(lambda found: ascii(found[0])[1:-1], text)


def left_out(counts: Mapping[str, int]) -> str:
    """A sentence, after a space, that says what was left out how often; "" if nothing was."""
    left = ", ".join(f"{kind}s: {n}" for kind, n in sorted(counts.items()) if n)
    return f" Left out: {left}; --verbose says which." if left else ""


@dataclass
class Counts:
    """How many photos of a run ended in which way. left_out: see `Photos`."""

    done: int = 0
    skipped: int = 0
    failed: int = 0
    left_out: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Show:
    """Prints lines to standard output, for people or as JSON; failures and progress to standard
    error.

    out: the destination of the results, as the user wrote it.
    """

    out: str
    json: bool = False
    quiet: bool = False

    def bar(self, unit: str, total: int | None = None, doing: str | None = None) -> tqdm[Any]:
        """A progress bar with rate and time left; in a log file, a line every ten seconds or so."""
        return tqdm(
            desc=doing,
            total=total,
            unit=unit,
            disable=self.quiet,
            file=sys.stderr,
            mininterval=0.1 if sys.stderr.isatty() else 10,
        )

    def skipped(self, index: int, source: str, name: str, file: str) -> None:
        """A photo was done in an earlier run."""
        if self.json:
            known = {"file": file, "name": name, "source": source}
            self._say({"ok": True, "index": index, **known, "skipped": True})

    def done(self, source: str, record: Result, file: str, renamed: bool) -> None:
        """A photo was enhanced. renamed: the last note of its report says why it has a number."""
        report = record.report
        if self.json:
            known = {"file": file, "source": source}
            self._say({"ok": True, "index": record.index, **known, **asdict(report)})
        elif not self.quiet:
            (w, h), seconds = report.output_size, sum(report.seconds.values())
            faces = "1 face" if len(report.faces) == 1 else f"{len(report.faces)} faces"
            self._say(f"{record.name} → {record.filename}: {w} × {h}, {faces}, {seconds:.1f} s")
            if renamed:
                self._say(f"  {report.notes[-1]}")

    def failed(self, source: str, record: Failure) -> None:
        """A photo could not be enhanced."""
        if self.json:
            self._say({"ok": False, "source": source, **asdict(record)})
        else:
            self._say(f"failed: {record.reason}", sys.stderr)

    def trouble(self, reason: str) -> None:
        """A folder cannot be reached; the next look tries again."""
        self._say(f"waiting: {reason}", sys.stderr)

    def end(self, total: int, counts: Counts, seconds: float) -> None:
        """The run is over: print the totals."""
        rate = counts.done / seconds if seconds else 0.0
        if self.json:
            times = {"seconds": round(seconds, 2), "photos_per_second": round(rate, 2)}
            self._say({**asdict(counts), **times})
        elif not self.quiet:
            before = f", {counts.skipped} were done before" if counts.skipped else ""
            self._say(
                f"{counts.done} of {total} enhanced{before}, {counts.failed} failed, "
                f"{seconds:.1f} s, {rate:.1f} photos per second: {self.out}"
            )
        if counts.left_out and not self.json:
            tqdm.write(left_out(counts.left_out).strip(), file=sys.stderr)

    def _say(self, told: dict[str, Any] | str, file: TextIO | None = None) -> None:
        text = told if isinstance(told, str) else json.dumps(told)
        tqdm.write(printable(text), file=file or sys.stdout)
