"""What stands in front of the page and the API: safe headers, no foreign files, no floods.

Gradio bounds one uploaded file. This bounds a request and a client, and refuses what Gradio
would do for anybody: fetch an address of the internet and hand it on.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.formparsers import MultiPartException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from enhance.records import Limits
from enhance.sentences import Sentence, say
from enhance.ui.batches import NO_ROOM
from enhance.ui.language import preferred, translated

UPLOAD = "/gradio_api/upload"
LOGIN = "/login"
MAX_LOGINS_PER_MINUTE = 20
MAX_BODY = 4 * 1024 * 1024
"""Bytes of a request that is no upload: a batch of a thousand photos has a tenth of it."""

# Parts of Gradio that this app does not use, and that would take or fetch files for anybody.
_CLOSED = ("/gradio_api/proxy=", "/gradio_api/process_recording", "/gradio_api/component_server")
_MINUTE = 60
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


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
        X-Forwarded-For is the client's; a proxy that can be trusted wrote it. clock: seconds,
        never backwards."""
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
        refusals: list[Refused] = []

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
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
        if "://" in file or any(closed in path for closed in _CLOSED):
            raise Refused(404, say("There is nothing at this address."))
        if scope["method"] != "POST":
            return receive
        client = self._client(scope)
        if path == UPLOAD:
            return self._metered(scope, receive, client)
        if path == LOGIN and not self._logins.take(client):
            raise Refused(429, say("Too many tries to log in. Try again in a minute."))
        return await _read(receive)

    def _metered(self, scope: Scope, receive: Receive, client: str) -> Receive:
        """An upload's body, which ends with a refusal when it becomes too much."""
        most = self._limits.max_request_bytes
        too_large = Refused(
            413,
            say(
                "This upload has more than {megabytes:.0f} MB. Send fewer photos at once.",
                megabytes=most / 2**20,
            ),
        )
        too_often = Refused(
            429, say("You have uploaded too much within a minute. Try again in a minute.")
        )
        if self._full():
            raise Refused(507, NO_ROOM)
        if not self._uploads.take(client):
            raise too_often
        length = Headers(scope=scope).get("content-length", "")
        if length.isdigit() and int(length) > most:
            raise too_large
        seen = 0

        async def receive_metered() -> Message:
            nonlocal seen
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Refused(400, say("The upload broke off."))
            size = len(message.get("body", b""))
            seen += size
            if seen > most:
                raise too_large
            if not self._bytes.take(client, size):
                raise too_often
            return message

        return receive_metered

    def _client(self, scope: Scope) -> str:
        forwarded = Headers(scope=scope).getlist("x-forwarded-for") if self._behind_proxy else []
        if forwarded:  # what stands further left may come from the client itself
            return forwarded[-1].rpartition(",")[2].strip()
        return str((scope.get("client") or ("", 0))[0])


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


async def _read(receive: Receive) -> Receive:
    """The whole body, which may name uploaded files, but no addresses to fetch files from."""
    body, message = bytearray(), await receive()
    while message["type"] == "http.request":
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            raise Refused(413, say("This request is too large. Send fewer photos at once."))
        if not message.get("more_body"):
            break
        message = await receive()
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError):
        sent = None  # a form, or what Gradio will refuse itself
    if _names_address(sent):
        raise Refused(
            400,
            say("This server does not fetch photos from other addresses. Upload the photo itself."),
        )
    unread = [{**message, "body": bytes(body)}]

    async def receive_again() -> Message:
        return unread.pop() if unread else await receive()

    return receive_again


def _names_address(sent: Any) -> bool:
    """Whether a file in plain data lies elsewhere than on this server."""
    left = [sent]
    while left:
        item = left.pop()
        if isinstance(item, dict):
            path = item.get("path")
            if isinstance(path, str) and path.lstrip().lower().startswith(("http:", "https:")):
                return True
            left += item.values()
        elif isinstance(item, list):
            left += item
    return False
