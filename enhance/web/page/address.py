"""Settings in the page's address, so that a link opens the page with them. Never photos.

Nor what is kept of a photo's metadata: whoever follows a link keeps their own choice.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, urlencode

from enhance.errors import OptionsError
from enhance.options import OPTIONS, Options, renamed

_HELD = {name: spec for name, spec in OPTIONS.items() if name != "metadata"}


def query_of(options: Options) -> str:
    """The query of an address, with what differs from the defaults; empty if nothing does."""
    values = {name: getattr(options, name) for name in _HELD}
    chosen = {name: value for name, value in values.items() if value != _HELD[name].default}
    return f"?{urlencode(chosen)}" if chosen else ""


def from_query(query: object) -> dict[str, Any]:
    """The options in an address, unchecked but of the right types; others are left out."""
    found: dict[str, Any] = {}
    said = dict(parse_qsl(query.removeprefix("?")[:2000])) if isinstance(query, str) else {}
    for name, value in renamed(said).items():
        if name in _HELD:
            with suppress(OptionsError):
                found[name] = _HELD[name].read(value)
    return found
