"""Middleware in front of the page and the API: safe headers, no fetching of URLs, no floods.

Gradio limits the size of one uploaded file. This limits a request and a client, and refuses what
Gradio would do for anyone: fetch a URL from the internet and pass its contents on.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from enhance.i18n import say
from enhance.limits import Limits
from enhance.web.batches.room import NO_ROOM
from enhance.web.language import preferred, translated
from enhance.web.log import REQUEST_HEADER
from enhance.web.server.bodies import Parts, Refused, read
from enhance.web.server.rate_limit import Rate

UPLOAD = "/gradio_api/upload"
LOGIN = "/login"
MAX_LOGINS_PER_MINUTE = 20

# Gradio renders the icon in any size that is requested; the app's manifest requests these.
_ICON, _ICON_SIZES = "/pwa_icon/", ("", "192", "512")
# Parts of Gradio that this app does not use and that would accept or fetch files for anyone.
_CLOSED = ("/gradio_api/proxy=", "/gradio_api/process_recording", "/gradio_api/component_server")
# Headers that are believed only from a proxy; x-gradio-server never, as Gradio's own proxy is not
# in use.
_PROXYS = (b"x-forwarded-", b"x-gradio-server", REQUEST_HEADER.encode())
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


class Guard:
    """ASGI middleware; see the module's docstring."""

    def __init__(
        self,
        app: ASGIApp,
        limits: Limits,
        full: Callable[[], bool] = lambda: False,
        behind_proxy: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """full: whether there is no disk space for uploads. behind_proxy: a trusted proxy sets the
        X-Forwarded headers, so the last address in X-Forwarded-For is the client's. clock:
        monotonic seconds."""
        self._app = app
        self._limits = limits
        self._full = full
        self._behind_proxy = behind_proxy
        self._uploads = Rate(limits.max_uploads_per_minute, clock)
        self._bytes = Rate(limits.max_upload_bytes_per_minute, clock)
        self._logins = Rate(MAX_LOGINS_PER_MINUTE, clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it with a sentence."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope, number = _numbered(self._believed(scope))
        refusals: list[Refused] = []

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update({**_HEADERS, REQUEST_HEADER: number})
            await send(message)

        async def send_unless_refused(message: Message) -> None:
            if not refusals:
                await send_safely(message)

        try:
            reads = await self._checked(scope, receive)

            async def receive_checked() -> Message:
                try:
                    return await reads()
                except Refused as refusal:
                    refusals.append(refusal)
                    raise

            await self._app(scope, receive_checked, send_unless_refused)
        except Refused as refusal:
            refusals.append(refusal)
        if refusals:
            language = preferred(Headers(scope=scope).get("accept-language", ""))
            sentence = translated(refusals[0].sentence, language)
            headers = {"Connection": "close"}  # because the rest of the body is not read
            answer = JSONResponse({"detail": sentence}, refusals[0].status, headers)
            await answer(scope, receive, send_safely)

    async def _checked(self, scope: Scope, receive: Receive) -> Receive:
        """The `receive` for the app. Raises Refused, and so may what it returns."""
        path = scope["path"].rstrip("/")
        _, _, file = path.partition("/gradio_api/file")
        _, _, icon = path.partition(_ICON)
        unused = any(closed in path for closed in _CLOSED)
        if unused or "://" in file or icon not in _ICON_SIZES:
            raise Refused(404, say("There is nothing at this address."))
        if scope["method"] != "POST":
            return receive
        client = str((scope.get("client") or ("", 0))[0])
        if path == UPLOAD:
            return self._metered(scope, receive, client)
        if path == LOGIN and not self._logins.take(client):
            raise Refused(429, say("Too many login attempts. Try again in a minute."))
        return await read(receive, self._limits.max_photos)

    def _metered(self, scope: Scope, receive: Receive, client: str) -> Receive:
        """A `receive` for an upload; it raises Refused once the body exceeds a limit."""
        most = self._limits.max_request_bytes
        too_large = Refused(
            413,
            say(
                "This upload is larger than {megabytes:.0f} MB. Send fewer photos at once.",
                megabytes=most / 1e6,
            ),
        )
        too_often = Refused(
            429, say("You have uploaded too much within a minute. Try again in a minute.")
        )
        if self._full():
            raise Refused(507, NO_ROOM)
        if not self._uploads.take(client):
            raise too_often
        headers = Headers(scope=scope)
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > most:
            raise too_large
        parts = Parts(headers.get("content-type", ""))
        seen = 0

        async def receive_metered() -> Message:
            nonlocal seen
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Refused(400, say("The upload was interrupted."))
            body = message.get("body", b"")
            seen += len(body)
            if seen > most:
                raise too_large
            further = parts.further(body)
            if not (self._bytes.take(client, len(body)) and self._uploads.take(client, further)):
                raise too_often
            return message

        return receive_metered

    def _believed(self, scope: Scope) -> Scope:
        """The request with only trustworthy headers and the client's address.

        Gradio trusts every header, and would let one visitor's headers affect what others see.
        """
        unproven = (b"x-gradio-server",) if self._behind_proxy else _PROXYS
        headers = [header for header in scope["headers"] if not header[0].startswith(unproven)]
        believed = {**scope, "headers": headers}
        forwarded = Headers(scope=believed).getlist("x-forwarded-for")
        if forwarded:  # addresses further left may come from the client itself
            believed["client"] = (forwarded[-1].rpartition(",")[2].strip(), 0)
        return believed


def _numbered(scope: Scope) -> tuple[Scope, str]:
    """The request with its id for the log: the one that a proxy gave it, or a new one."""
    given = Headers(scope=scope).get(REQUEST_HEADER, "")
    if re.fullmatch(r"[\w.-]{8,64}", given, re.ASCII):
        return scope, given
    number, name = uuid.uuid4().hex, REQUEST_HEADER.encode()
    others = [header for header in scope["headers"] if header[0] != name]
    return {**scope, "headers": [*others, (name, number.encode())]}, number
