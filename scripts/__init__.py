"""Makes what the repository keeps but nobody writes by hand: pictures, samples, tables."""

from pathlib import Path

ASSETS = Path(__file__).parents[1] / "assets"
DOCS = Path(__file__).parents[1] / "docs"
