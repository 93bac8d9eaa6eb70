"""What stands in front of the page and the API: safe headers, no foreign files, no floods.

Gradio bounds one uploaded file. This bounds a request and a client, and refuses what Gradio
would do for anybody: fetch an address of the internet and hand it on.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, MutableHeaders
from starlette.formparsers import MultiPartException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from enhance.records import Limits
from enhance.sentences import Sentence, say
from enhance.ui.batches import NO_ROOM
from enhance.ui.language import preferred, translated
from enhance.ui.log import REQUEST_HEADER

UPLOAD = "/gradio_api/upload"
LOGIN = "/login"
MAX_LOGINS_PER_MINUTE = 20
BODY_SECONDS = 30
"""How long the body of a request that is no upload may take to arrive."""

# What such a body may hold: so much anyway, and so much for each photo that a batch may have. A
# photo with a name of 255 letters has 1.8 KB and 10 values, seldom a third of that.
_BODY, _BODY_PER_PHOTO = 64 * 1024, 2 * 1024
_VALUES, _VALUES_PER_PHOTO = 1000, 20
# Whoever has too many photos is told so by the page and the API, kindly; not much later, by this.
_FILES_PER_PHOTO = 2

# The icon is made in any size that is asked for; the app's manifest asks for these.
_ICON, _ICON_SIZES = "/pwa_icon/", ("", "192", "512")
# Parts of Gradio that this app does not use, and that would take or fetch files for anybody.
_CLOSED = ("/gradio_api/proxy=", "/gradio_api/process_recording", "/gradio_api/component_server")
# What only a proxy may say; the last one nobody, as Gradio's own proxy is not in use.
_PROXYS = (b"x-forwarded-", b"x-gradio-server", REQUEST_HEADER.encode())
_MINUTE = 60
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}

TOO_LARGE = say("This request is too large. Send fewer photos at once.")


class Refused(MultiPartException):
    """A request that is not served; `status` is the answer's.

    Of this kind, because then Gradio deletes what it has read of an upload, and says the message.
    """

    def __init__(self, status: int, sentence: Sentence) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


class Guard:
    """ASGI middleware; see the module."""

    def __init__(
        self,
        app: ASGIApp,
        limits: Limits,
        full: Callable[[], bool] = lambda: False,
        behind_proxy: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """full: whether there is no room for uploads. behind_proxy: the last address in
        X-Forwarded-For is the client's; a proxy that can be trusted wrote it, and the other
        X-Forwarded headers. clock: seconds, never backwards."""
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
            headers = {"Connection": "close"}  # the rest of the body is not read
            answer = JSONResponse({"detail": sentence}, refusals[0].status, headers)
            await answer(scope, receive, send_safely)

    async def _checked(self, scope: Scope, receive: Receive) -> Receive:
        """What the app is to read instead of `receive`. Raises Refused, also while it reads."""
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
            raise Refused(429, say("Too many tries to log in. Try again in a minute."))
        return await _read(receive, self._limits.max_photos)

    def _metered(self, scope: Scope, receive: Receive, client: str) -> Receive:
        """An upload's body, which ends with a refusal when it becomes too much."""
        most = self._limits.max_request_bytes
        too_large = Refused(
            413,
            say(
                "This upload has more than {megabytes:.0f} MB. Send fewer photos at once.",
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
        parts = _Parts(headers.get("content-type", ""))
        seen = 0

        async def receive_metered() -> Message:
            nonlocal seen
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Refused(400, say("The upload broke off."))
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
        """The request as the rest may believe it: from whom it comes, and under which address.

        Gradio believes every header, and shows one visitor what another one's said.
        """
        unproven = (b"x-gradio-server",) if self._behind_proxy else _PROXYS
        headers = [header for header in scope["headers"] if not header[0].startswith(unproven)]
        believed = {**scope, "headers": headers}
        forwarded = Headers(scope=believed).getlist("x-forwarded-for")
        if forwarded:  # what stands further left may come from the client itself
            believed["client"] = (forwarded[-1].rpartition(",")[2].strip(), 0)
        return believed


def _numbered(scope: Scope) -> tuple[Scope, str]:
    """The request with an id of its own, or its proxy's, by which the log tells of it."""
    given = Headers(scope=scope).get(REQUEST_HEADER, "")
    if re.fullmatch(r"[\w.-]{8,64}", given, re.ASCII):
        return scope, given
    number, name = uuid.uuid4().hex, REQUEST_HEADER.encode()
    others = [header for header in scope["headers"] if header[0] != name]
    return {**scope, "headers": [*others, (name, number.encode())]}, number


class _Parts:
    """Counts the files of an upload as it comes, whatever it is cut into."""

    def __init__(self, content_type: str) -> None:
        boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
        self._line = b"--" + boundary
        self._tail = b""
        self._seen = -2  # the first one is the request itself; the last line ends the last file

    def further(self, body: bytes) -> int:
        """How many files, besides the first, begin or end here."""
        joined = self._tail + body
        self._tail = joined[max(0, len(joined) - len(self._line) + 1) :]
        before = max(0, self._seen)
        self._seen += joined.count(self._line)
        return max(0, self._seen) - before


@dataclass
class Rate:
    """At most so much in any minute, for each client."""

    most: int
    clock: Callable[[], float]
    _taken: dict[str, deque[tuple[float, int]]] = field(
        default_factory=lambda: defaultdict(deque), init=False
    )
    _sums: dict[str, int] = field(default_factory=lambda: defaultdict(int), init=False)

    def take(self, client: str, amount: int = 1) -> bool:
        """Whether the client may have that much more now; it is counted if so."""
        now = self.clock()
        self._forget(now)
        if self._sums[client] + amount > self.most:
            return False
        if amount:
            self._taken[client].append((now, amount))
            self._sums[client] += amount
        return True

    def _forget(self, now: float) -> None:
        """What lies more than a minute back, of all clients: nothing grows for ever."""
        for client in list(self._sums):
            taken = self._taken[client]
            while taken and taken[0][0] <= now - _MINUTE:
                self._sums[client] -= taken.popleft()[1]
            if not taken:
                del self._taken[client], self._sums[client]


async def _read(receive: Receive, most_photos: int) -> Receive:
    """The whole body, which may name uploaded files, but no addresses to fetch files from."""
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
        sent = None  # a form, or what Gradio will refuse itself
    _check(sent, most_photos)
    unread = [{**message, "body": bytes(body)}]

    async def receive_again() -> Message:
        return unread.pop() if unread else await receive()

    return receive_again


def _check(sent: Any, most_photos: int) -> None:
    """Refuse plain data that is too much, or names a file that lies elsewhere."""
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
