"""Checks request bodies as they arrive, before Gradio sees them."""

from __future__ import annotations

import json
from typing import Any

import anyio
from python_multipart.multipart import parse_options_header
from starlette.formparsers import MultiPartException
from starlette.types import Message, Receive

from enhance.i18n import Sentence, say

BODY_SECONDS = 30
"""How long the body of a request may take to arrive, uploads excepted."""

# How large such a body may be: a fixed part, and a part for each photo that a batch may have. A
# photo with a name of 255 letters takes 1.8 KB and 10 values; most take less than a third of that.
_BODY, _BODY_PER_PHOTO = 64 * 1024, 2 * 1024
_VALUES, _VALUES_PER_PHOTO = 1000, 20
# The page and the API explain when a batch has too many photos; only far beyond that is a request
# refused here.
_FILES_PER_PHOTO = 2

TOO_LARGE = say("This request is too large. Send fewer photos at once.")


class Refused(MultiPartException):
    """A request is refused, with the HTTP status `status`.

    Derived from MultiPartException, because Gradio then deletes what it has read of an upload and
    passes the message on.
    """

    def __init__(self, status: int, sentence: Sentence) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


class Parts:
    """Counts the files of an upload as it arrives, however it is split into chunks."""

    def __init__(self, content_type: str) -> None:
        boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
        self._line = b"--" + boundary
        self._tail = b""
        self._seen = -2  # one file is counted with the request; the last boundary begins none

    def further(self, body: bytes) -> int:
        """How many files beyond the first this chunk adds."""
        joined = self._tail + body
        self._tail = joined[max(0, len(joined) - len(self._line) + 1) :]
        before = max(0, self._seen)
        self._seen += joined.count(self._line)
        return max(0, self._seen) - before


async def read(receive: Receive, most_photos: int) -> Receive:
    """Read and check the whole body; it may name uploaded files, but no URLs to fetch.

    Returns a `receive` that delivers the body to the app. Raises Refused.
    """
    most = _BODY + _BODY_PER_PHOTO * most_photos
    body = bytearray()
    with anyio.move_on_after(BODY_SECONDS) as patience:
        message = await receive()
        while message["type"] == "http.request":
            body += message.get("body", b"")
            if len(body) > most:
                raise Refused(413, TOO_LARGE)
            if not message.get("more_body"):
                break
            message = await receive()
    if patience.cancelled_caught:
        raise Refused(408, say("This request took too long to arrive. Send it again."))
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError):
        sent = None  # a form, or something that Gradio itself will refuse
    _check(sent, most_photos)
    unread = [{**message, "body": bytes(body)}]

    async def receive_again() -> Message:
        return unread.pop() if unread else await receive()

    return receive_again


def _check(sent: Any, most_photos: int) -> None:
    """Refuse JSON data that has too many values or files, or names a file by URL."""
    left, values, files = [sent], 0, 0
    while left:
        item = left.pop()
        values += 1
        if isinstance(item, dict):
            path = item.get("path")
            files += isinstance(path, str)
            if isinstance(path, str) and path.lstrip().lower().startswith(("http:", "https:")):
                raise Refused(
                    400,
                    say(
                        "This server does not fetch photos from other addresses. Upload the "
                        "photo itself."
                    ),
                )
            left += item.values()
        elif isinstance(item, list):
            left += item
    if values > _VALUES + _VALUES_PER_PHOTO * most_photos or files > _FILES_PER_PHOTO * most_photos:
        raise Refused(413, TOO_LARGE)
