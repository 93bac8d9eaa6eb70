"""Settings in the page's address, so that a link opens the page with them. Never photos.

Nor what is kept of a photo's metadata: whoever follows a link keeps their own choice.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode

from enhance.options import Options

_USUAL = {name: value for name, value in vars(Options()).items() if name != "metadata"}


def query_of(options: Options) -> str:
    """The query of an address, with what differs from the defaults; empty if nothing does."""
    chosen = {name: vars(options)[name] for name in _USUAL if vars(options)[name] != _USUAL[name]}
    return f"?{urlencode(chosen)}" if chosen else ""


def from_query(query: object) -> dict[str, Any]:
    """The options in an address, unchecked but of the right types; others are left out."""
    found: dict[str, Any] = {}
    if not isinstance(query, str):
        return found
    for name, value in parse_qsl(query.removeprefix("?")[:2000]):
        usual = _USUAL.get(name)
        try:
            if isinstance(usual, bool):
                found[name] = value == "True"
            elif isinstance(usual, int | float):
                number = float(value)
                found[name] = int(number) if number.is_integer() else number
            elif isinstance(usual, str):
                found[name] = value
        except ValueError:
            continue
    return found
