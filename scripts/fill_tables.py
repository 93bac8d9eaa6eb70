"""Puts the benchmarks' tables into the pages of docs: `python -m scripts.fill_tables`.

They are read from docs/benchmarks, where `python -m benchmarks --into docs/benchmarks` saves them,
and written between a comment that names the benchmark and the next `<!-- end -->`.
"""

from __future__ import annotations

import json
import re

from benchmarks.tables import Table
from scripts import DOCS


def filled(page: str) -> str:
    """The page with every benchmark's tables as they were saved last."""

    def tables(match: re.Match[str]) -> str:
        name = match[1]
        saved = json.loads((DOCS / "benchmarks" / f"{name}.json").read_text("utf-8"))
        text = "\n\n".join(Table(title, rows).markdown() for title, rows in saved.items())
        return f"<!-- {name} -->\n{text}\n<!-- end -->"

    return re.sub(r"<!-- (\w+) -->\n.*?<!-- end -->", tables, page, flags=re.DOTALL)


def main() -> None:
    for page in DOCS.glob("*.md"):
        page.write_text(filled(page.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
