"""Reports of a batch as JSON and CSV."""

import csv
import io
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

from enhance.records import Failure, Report

Outcome = Report | Failure

# The columns of an enhanced photo, after those of every photo.
_COLUMNS: dict[str, Callable[[Report], object]] = {
    "source_width": lambda report: report.source_size[0],
    "source_height": lambda report: report.source_size[1],
    "output_width": lambda report: report.output_size[0],
    "output_height": lambda report: report.output_size[1],
    "faces": lambda report: len(report.faces),
    "restored": lambda report: len(report.restored),
    "repaired": lambda report: report.repaired,
    "fill": lambda report: report.fill or "",
    "toned": lambda report: report.toned,
    "colorized": lambda report: report.colorized,
    "restorer": lambda report: report.restorer,
    "background": lambda report: report.background,
    "upscale": lambda report: report.upscale,
    "device": lambda report: report.device,
    "precision": lambda report: report.precision,
    "noise": lambda report: report.findings.noise if report.findings else "",
    "blocks": lambda report: report.findings.blocks if report.findings else "",
    "detail": lambda report: report.findings.detail if report.findings else "",
    "damage": lambda report: report.findings.damage if report.findings else "",
    "faded": lambda report: report.findings.faded if report.findings else "",
    "reasons": lambda report: " ".join(report.reasons.values()),
    "seconds": lambda report: round(sum(report.seconds.values()), 3),
    "notes": lambda report: " ".join(report.notes),
}


def record(outcome: Outcome) -> dict[str, Any]:
    """A photo's report or failure as plain data. `ok` tells the two apart."""
    return {"ok": isinstance(outcome, Report), **asdict(outcome)}


def as_json(outcomes: Iterable[Outcome]) -> str:
    """A JSON list with one record per photo."""
    return json.dumps([record(outcome) for outcome in outcomes], indent=2, ensure_ascii=False)


def as_csv(outcomes: Iterable[Outcome]) -> str:
    """One line per photo after a header; begins with a byte order mark, so that Excel expects
    UTF-8."""
    text = io.StringIO()
    text.write("\ufeff")
    writer = csv.DictWriter(text, ["name", "ok", "reason", *_COLUMNS])
    writer.writeheader()
    for outcome in outcomes:
        writer.writerow({key: _cell(value) for key, value in _row(outcome).items()})
    return text.getvalue()


def _row(outcome: Outcome) -> dict[str, object]:
    if isinstance(outcome, Failure):
        return {"name": outcome.name, "ok": False, "reason": outcome.reason}
    cells = {column: value(outcome) for column, value in _COLUMNS.items()}
    return {"name": outcome.name, "ok": True} | cells


def _cell(value: Any) -> Any:
    """Put an apostrophe before text that a spreadsheet would take for a formula."""
    if not isinstance(value, str):
        return value
    formula = value.startswith(("\t", "\r")) or value.lstrip().startswith(("=", "+", "-", "@"))
    return f"'{value}" if formula else value
