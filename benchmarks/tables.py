"""What every benchmark has in common: its arguments, and tables that are printed, saved, drawn."""

import argparse
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """Rows with the same columns.

    x, y: the columns to draw over each other; no `y`: not drawn. goals: a column's greatest value.
    """

    title: str
    rows: list[Row]
    x: str = ""
    y: tuple[str, ...] = ()
    goals: dict[str, float] = field(default_factory=dict)

    def markdown(self) -> str:
        """The table as Markdown, its title above it."""
        columns = list(self.rows[0])
        lines = [columns, ["---"] * len(columns), *(row.values() for row in self.rows)]
        return f"**{self.title}**\n\n" + "\n".join(
            "| " + " | ".join("–" if value is None else str(value) for value in line) + " |"
            for line in lines
        )


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """The arguments that all benchmarks take."""
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="save the tables")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw them (.png, .svg)")
    parser.add_argument(
        "--quick", action="store_true", help="the smallest form: proves that it works, no more"
    )
    return parser


def show(tables: list[Table], wanted: argparse.Namespace) -> None:
    """Print the tables, save and draw them as asked for."""
    for table in tables:
        print(f"\n{table.markdown()}", flush=True)
    if wanted.json:
        saved = {table.title: table.rows for table in tables}
        wanted.json.write_text(json.dumps(saved, indent=1, ensure_ascii=False) + "\n", "utf-8")
    if wanted.plot:
        draw(tables, wanted.plot)


def draw(tables: list[Table], path: Path) -> None:
    """One panel per table that has something to draw; goals are dashed."""
    from matplotlib.figure import Figure

    drawn = [table for table in tables if table.y]
    figure = Figure(figsize=(4.6 * len(drawn), 3.6), layout="constrained")
    for place, table in enumerate(drawn, 1):
        panel = figure.add_subplot(1, len(drawn), place)
        xs = [row[table.x] for row in table.rows]
        if isinstance(xs[0], str):
            panel.tick_params(axis="x", rotation=30)
        for column in table.y:
            (line,) = panel.plot(xs, [row[column] for row in table.rows], "o-", label=column)
            if column in table.goals:
                panel.axhline(table.goals[column], color=line.get_color(), linestyle="--", lw=1)
        panel.set_title(table.title, fontsize=9)
        panel.set(xlabel=table.x, ylim=(0, None))
        panel.grid(alpha=0.3)
        panel.legend(fontsize=8)
    figure.savefig(path, dpi=90)
