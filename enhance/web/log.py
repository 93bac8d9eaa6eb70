"""What the server writes about its work: for which request, and nothing that a visitor sent."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal, TextIO, TypeVar, get_args

from pythonjsonlogger.json import JsonFormatter

from enhance.errors import OptionsError
from enhance.i18n import say

T = TypeVar("T")

Format = Literal["text", "json"]

REQUEST_HEADER = "x-request-id"
"""Each request has it when it comes to the app, and each answer."""

_KEPT = 4000  # characters of the beginning and of the end, for what is written at once
_CONTROL = re.compile(r"[^\S \t\n]|[\x00-\x08\x0e-\x1f\x7f-\x9f]")
_INNER_LINE = re.compile(r"\n(?=.)")
_TEXT = "%(asctime)s %(levelname)s %(name)s [%(request)s] %(message)s"
_FIELDS = ("asctime", "levelname", "name", "request", "message")
_NAMES = {"asctime": "time", "levelname": "level", "name": "logger", "exc_info": "traceback"}
_request = ContextVar("request", default="-")


def start_log(form: str, files: Path) -> None:
    """Log to standard error from now on; Gradio's tracebacks go there too.

    form: a `Format`; "json" is one object a line. files: the folder of uploads and results, whose
    names are left out. Raises OptionsError for another form.
    """
    if form not in get_args(Format):
        raise OptionsError(
            say("ENHANCE_LOG_FORMAT must be text or json, not {value!r}.", value=form)
        )
    private = Private(files)
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(private)
    handler.setFormatter(
        JsonFormatter(_FIELDS, style=",", rename_fields=_NAMES)
        if form == "json"
        else logging.Formatter(_TEXT)
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("httpx").setLevel(logging.WARNING)  # else a line for each request it sends
    sys.stderr = Cleaned(sys.stderr, private)  # type: ignore[assignment]


def about(request: str, items: Iterator[T]) -> Iterator[T]:
    """The same items; what is logged while one is made bears the request's id."""
    while True:
        token = _request.set(request)
        try:
            item = next(items)
        except StopIteration:
            return
        finally:
            _request.reset(token)
        yield item


class Private(logging.Filter):
    """Gives a record the id of its request, and takes from it what a visitor sent."""

    def __init__(self, files: Path) -> None:
        """files: see `start_log`."""
        super().__init__()
        # Sentences have names in such quotes; a path ends with its line, whatever is in it. The
        # others are what Gradio and pydantic say of a path or a value that they refuse.
        self._names = re.compile(
            rf"“[^”]*”|{re.escape(str(files))}[^\n]*"
            r"|(?s:Cannot move .*? to the gradio cache dir)|input_value=[^\n]*"
        )
        self._tracebacks = logging.Formatter()

    def clean(self, text: str) -> str:
        """The text without names of photos, paths of uploads, and the middle of what is long.

        What comes after its first line cannot be taken for a line of the log's own.
        """
        left_out = len(text) - 2 * _KEPT
        if left_out > 0:
            text = f"{text[:_KEPT]}\n[{left_out} characters left out]\n{text[-_KEPT:]}"
        text = _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", self._names.sub("…", text))
        return _INNER_LINE.sub("\n| ", text)

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record; none is left out."""
        record.request = _request.get()
        record.msg, record.args = self.clean(record.getMessage()), None
        if record.exc_info:
            text = self._tracebacks.formatException(record.exc_info)
            record.exc_info, record.exc_text = None, self.clean(text)
        return True


class Cleaned:
    """A stream for what is not logged but written, such as Gradio's tracebacks, line by line."""

    def __init__(self, stream: TextIO, private: Private) -> None:
        self._stream = stream
        self._private = private

    def write(self, text: str) -> int:
        """Write what may be written of the text; returns the length of the whole."""
        self._stream.write(self._private.clean(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
