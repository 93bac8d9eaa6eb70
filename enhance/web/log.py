"""The server's log: each line names its request, and contains nothing that a visitor sent."""

import logging
import re
import sys
from collections.abc import Iterator
from contextvars import ContextVar, copy_context
from pathlib import Path
from typing import Any, TextIO, TypeVar

from pythonjsonlogger.json import JsonFormatter

from enhance.errors import OptionsError

T = TypeVar("T")

REQUEST_HEADER = "x-request-id"
"""Header with the request's id, set on each request before the app sees it and on each response."""

_KEPT = 4000  # characters kept at the beginning and at the end of one message
_CONTROL = re.compile(r"[^\S \t\n]|[\x00-\x08\x0e-\x1f\x7f-\x9f]")
_INNER_LINE = re.compile(r"\n(?=.)")
_FIELDS = ("asctime", "levelname", "name", "request", "message")
_NAMES = {"asctime": "time", "levelname": "level", "name": "logger", "exc_info": "traceback"}
_FORMATTERS = {
    "text": logging.Formatter("%(asctime)s %(levelname)s %(name)s [%(request)s] %(message)s"),
    "json": JsonFormatter(_FIELDS, style=",", rename_fields=_NAMES),
}
_request = ContextVar("request", default="-")


def start_log(form: str, files: Path) -> None:
    """Log to standard error from now on, including Gradio's tracebacks; clean what is printed.

    form: "text", or "json" for one object per line. files: the folder of uploads and results;
    paths in it are left out of the log. Raises OptionsError for another form.
    """
    if form not in _FORMATTERS:
        raise OptionsError("ENHANCE_LOG_FORMAT must be text or json, not {value!r}.", value=form)
    private = Private(files)
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(private)
    handler.setFormatter(_FORMATTERS[form])
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs each request that it sends
    # Gradio prints to both, and the journal of a service mixes them.
    sys.stderr = Cleaned(sys.stderr, private)  # type: ignore[assignment]
    sys.stdout = Cleaned(sys.stdout, private)  # type: ignore[assignment]


def about(request: str, items: Iterator[T]) -> Iterator[T]:
    """Yield the same items; what is logged while one is made carries the request's id."""
    context = copy_context()
    context.run(_request.set, request)
    yield from iter(lambda: context.run(next, items, None), None)


class Private(logging.Filter):
    """Adds the id of its request to a log record, and removes from it what a visitor sent."""

    def __init__(self, files: Path) -> None:
        """files: see `start_log`."""
        super().__init__()
        # In sentences, names are in these quotes, and may have closing ones in them. A path extends
        # to the end of its line, whatever it contains. The other patterns are Gradio's and
        # pydantic's messages about a path or value that they reject.
        self._names = re.compile(
            rf"“[^”]*”([^\n]*”)?|{re.escape(str(files))}[^\n]*"
            r"|(?s:Cannot move .*? to the gradio cache dir)|input_value=[^\n]*"
        )

    def clean(self, text: str) -> str:
        """The text without names of photos and paths of uploads; long text loses its middle.

        Further lines are marked, so that none can pass for a line of the log itself.
        """
        left_out = len(text) - 2 * _KEPT
        if left_out > 0:
            text = f"{text[:_KEPT]}\n[{left_out} characters left out]\n{text[-_KEPT:]}"
        text = _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", self._names.sub("…", text))
        return _INNER_LINE.sub("\n| ", text)

    def filter(self, record: logging.LogRecord) -> bool:
        """Clean the record; always returns True, so every record is logged."""
        record.request = _request.get()
        record.msg, record.args = self.clean(record.getMessage()), None
        if record.exc_info:
            text = logging.Formatter().formatException(record.exc_info)
            record.exc_info, record.exc_text = None, self.clean(text)
        return True


class Cleaned:
    """A stream that cleans what is printed rather than logged, such as Gradio's tracebacks."""

    def __init__(self, stream: TextIO, private: Private) -> None:
        self._stream = stream
        self._private = private

    def write(self, text: str) -> int:
        """Write the cleaned text; returns the length of the original."""
        self._stream.write(self._private.clean(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
