"""Reports of a batch as JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from enhance.records import Failure, Report

Outcome = Report | Failure

_COLUMNS = (
    "name",
    "ok",
    "reason",
    "source_width",
    "source_height",
    "output_width",
    "output_height",
    "faces",
    "restored",
    "repaired",
    "toned",
    "restorer",
    "background",
    "upscale",
    "device",
    "precision",
    "seconds",
    "notes",
)


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
    writer = csv.DictWriter(text, _COLUMNS)
    writer.writeheader()
    for outcome in outcomes:
        writer.writerow({key: _cell(value) for key, value in _row(outcome).items()})
    return text.getvalue()


def _row(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, Failure):
        return {"name": outcome.name, "ok": False, "reason": outcome.reason}
    return {
        "name": outcome.name,
        "ok": True,
        "source_width": outcome.source_size[0],
        "source_height": outcome.source_size[1],
        "output_width": outcome.output_size[0],
        "output_height": outcome.output_size[1],
        "faces": len(outcome.faces),
        "restored": len(outcome.restored),
        "repaired": outcome.repaired,
        "toned": outcome.toned,
        "restorer": outcome.restorer,
        "background": outcome.background,
        "upscale": outcome.upscale,
        "device": outcome.device,
        "precision": outcome.precision,
        "seconds": round(sum(outcome.seconds.values()), 3),
        "notes": " ".join(outcome.notes),
    }


def _cell(value: Any) -> Any:
    """Put an apostrophe before text that a spreadsheet would take for a formula."""
    if not isinstance(value, str):
        return value
    formula = value.startswith(("\t", "\r")) or value.lstrip().startswith(("=", "+", "-", "@"))
    return f"'{value}" if formula else value
