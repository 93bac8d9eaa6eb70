"""Checks request bodies as they arrive, before Gradio sees them."""

from __future__ import annotations

import json
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

TOO_LARGE = say("This request is too large. Send fewer photos at once.")
TOO_OFTEN = say("You have uploaded too much within a minute. Try again in a minute.")


def largest_body(most_photos: int) -> int:
    """Bytes of the largest request, uploads excepted. A photo with a name of 255 letters takes 1.8
    KB and 10 values; most take less than a third of that."""
    return 64 * 1024 + 2 * 1024 * most_photos


def counted(receive: Receive, headers: Headers, allow: Callable[[int], bool]) -> Receive:
    """A `receive` for an upload, which asks whether further files beyond the first are allowed as
    they begin. It raises MultiPartException, for which Gradio deletes what it has read."""
    options = parse_options_header(headers.get("content-type"))[1]
    start = b"--" + options.get(b"boundary", b"") + b"\r"  # the last boundary ends in "--"
    tail, free, arriving = b"", 1, True

    async def receive_counted() -> Message:
        nonlocal tail, free, arriving
        message = await receive()
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


async def read(scope: Scope, receive: Receive, most_photos: int) -> Receive:
    """Read and check the whole body; it may name uploaded files, but no URLs to fetch.

    Returns a `receive` that delivers the body to the app. Raises HTTPException.
    """
    try:
        with anyio.fail_after(BODY_SECONDS):
            body = await Request(scope, receive).body()
    except (TimeoutError, ClientDisconnect) as reason:
        late = say("This request took too long to arrive. Send it again.")
        raise HTTPException(408, late) from reason
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError):
        sent = None  # a form, or something that Gradio itself will refuse
    _check(sent, 1000 + 20 * most_photos)
    unread: list[Message] = [{"type": "http.request", "body": body}]

    async def receive_again() -> Message:
        return unread.pop() if unread else await receive()

    return receive_again


def _check(sent: Any, most_values: int) -> None:
    """Refuse JSON data that has too many values, or names a file by URL."""
    left, values = [sent], 0
    while left:
        item = left.pop()
        values += 1
        if isinstance(item, dict):
            path = item.get("path")
            if isinstance(path, str) and path.lstrip().lower().startswith(("http:", "https:")):
                raise HTTPException(
                    400,
                    say(
                        "This server does not fetch photos from other addresses. Upload the "
                        "photo itself."
                    ),
                )
            left += item.values()
        elif isinstance(item, list):
            left += item
    if values > most_values:
        raise HTTPException(413, TOO_LARGE)
