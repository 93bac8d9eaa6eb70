"""Puts the tables into the pages of docs: `python -m scripts.fill_tables`.

They are written between a comment and the next `<!-- end -->`. The comment names a benchmark, whose
tables are read from docs/benchmarks, where `python -m benchmarks --into docs/benchmarks` saves
them; or it says `options` and a language.
"""

import json
import re

from benchmarks.tables import Table
from scripts import DOCS
from scripts.option_tables import option_table

PAGES = sorted(DOCS.glob("*.md"))


def filled(page: str) -> str:
    """The page with the options as they are and the benchmarks' tables as they were saved last."""

    def tables(match: re.Match[str]) -> str:
        name, *words = match[1].split()
        if name == "options":
            text = option_table("zh" if words == ["zh"] else "en")
        else:
            saved = json.loads((DOCS / "benchmarks" / f"{name}.json").read_text("utf-8"))
            text = "\n\n".join(Table(title, rows).markdown() for title, rows in saved.items())
        return f"<!-- {match[1]} -->\n{text}\n<!-- end -->"

    return re.sub(r"<!-- (\w[\w ]*) -->\n.*?<!-- end -->", tables, page, flags=re.DOTALL)


def main() -> None:
    for page in PAGES:
        page.write_text(filled(page.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
