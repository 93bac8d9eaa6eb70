"""Checks request bodies as they arrive, before Gradio sees them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import anyio
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive, Scope

from enhance.i18n import say
from enhance.web.language import preferred, translated

BODY_SECONDS = 30
"""How long the body of a request may take to arrive, uploads excepted."""
UPLOAD_SECONDS, UPLOAD_SPEED = 15 * 60, 50_000
"""How long an upload may take, and the bytes per second that it may take in addition."""

TOO_LARGE = say("This request is too large. Send fewer photos at once.")
TOO_OFTEN = say("You have uploaded too much within a minute. Try again in a minute.")
_ADDRESS = say("This server does not fetch photos from other addresses. Upload the photo itself.")
LATE = say("This request took too long to arrive. Send it again.")


def largest_body(most_photos: int) -> int:
    """Bytes of the largest request, uploads excepted. A photo with a name of 255 letters takes 1.8
    KB and 10 values; most take less than a third of that."""
    return 64 * 1024 + 2 * 1024 * most_photos


class Body:
    """A `receive` that says that the client has gone if the body has not arrived in time."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._arriving = True
        self._deadline = math.inf
        self.late = False

    def expect(self, seconds: float) -> None:
        """It should arrive within so many seconds from now; until then there is no limit."""
        self._deadline = anyio.current_time() + seconds

    async def __call__(self) -> Message:
        if not self._arriving:
            return await self._receive()
        with anyio.CancelScope(deadline=self._deadline):
            message = await self._receive()
            self._arriving = message.get("more_body", False)
            return message
        self.late = True
        return {"type": "http.disconnect"}


def counted(body: Body, headers: Headers, allow: Callable[[int], bool]) -> Receive:
    """A `receive` for an upload, which asks whether further files beyond the first are allowed as
    they begin. It raises MultiPartException, for which Gradio deletes what it has read."""
    body.expect(UPLOAD_SECONDS + int(headers["content-length"]) / UPLOAD_SPEED)
    options = parse_options_header(headers.get("content-type"))[1]
    start = b"--" + options.get(b"boundary", b"") + b"\r"  # the last boundary ends in "--"
    tail, free, arriving = b"", 1, True

    async def receive_counted() -> Message:
        nonlocal tail, free, arriving
        message = await body()
        if not arriving:
            return message
        if message["type"] == "http.disconnect":
            raise MultiPartException("The upload was interrupted.")
        text = tail + message.get("body", b"")
        tail = text[1 - len(start) :]
        files = text.count(start)
        if not allow(max(0, files - free)):
            language = preferred(headers.get("accept-language", ""))
            raise MultiPartException(translated(TOO_OFTEN, language))
        free = max(0, free - files)
        arriving = message.get("more_body", False)
        return message

    return receive_counted


async def read(scope: Scope, body: Body, most_photos: int) -> Receive:
    """Read and check the whole body; it may name uploaded files, but no URLs to fetch.

    Returns a `receive` that delivers the body to the app. Raises HTTPException.
    """
    body.expect(BODY_SECONDS)
    try:
        whole = await Request(scope, body).body()
    except ClientDisconnect as reason:
        raise HTTPException(408, LATE) from reason
    try:
        sent = json.loads(whole)
    except (ValueError, RecursionError):
        sent = None  # a form, or something that Gradio itself will refuse
    _check(sent, 1000 + 20 * most_photos)
    unread: list[Message] = [{"type": "http.request", "body": whole}]

    async def receive_again() -> Message:
        return unread.pop() if unread else await body()

    return receive_again


def _check(sent: Any, most_values: int) -> None:
    """Refuse JSON data that has too many values, or names a file by URL."""
    values = [sent]
    for value in values:  # with those that are added on the way
        if isinstance(value, dict):
            path = value.get("path")
            if isinstance(path, str) and path.lstrip().lower().startswith(("http:", "https:")):
                raise HTTPException(400, _ADDRESS)
            values += value.values()
        elif isinstance(value, list):
            values += value
    if len(values) > most_values:
        raise HTTPException(413, TOO_LARGE)
