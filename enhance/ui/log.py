"""What the server writes about its work: never much of what a visitor sent."""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

_KEPT = 4000  # characters of the beginning and of the end, for what is written at once


def start_log() -> None:
    """Log to standard error, from now on in `Brief` pieces; Gradio's tracebacks go there too."""
    sys.stderr = Brief(sys.stderr)  # type: ignore[assignment]
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")


class Brief:
    """A stream of text that leaves out the middle of what is long.

    A record of the log and a line of a traceback are each written at once.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write the text, or its beginning and end; returns the length of the whole."""
        left_out = len(text) - 2 * _KEPT
        if left_out > 0:
            middle = f"\n[{left_out} characters left out]\n"
            self._stream.write(text[:_KEPT] + middle + text[-_KEPT:])
        else:
            self._stream.write(text)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
