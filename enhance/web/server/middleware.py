"""Middleware in front of the page and the API: safe headers, no fetching of URLs, no floods.

Gradio limits the size of one uploaded file. This limits a request and a client, and refuses what
Gradio would do for anyone: fetch a URL from the internet and pass its contents on.
"""

import json
import re
import time
import uuid
from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

import anyio
from anyio import CapacityLimiter
from gradio.route_utils import compare_passwords_securely
from python_multipart.multipart import parse_options_header
from starlette._utils import get_route_path
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from enhance.i18n import say
from enhance.limits import Limits
from enhance.web.language import preferred, translated
from enhance.web.log import REQUEST_HEADER
from enhance.web.server.body import Body
from enhance.web.server.clients import Rate, client_key, credentials, foreign
from enhance.web.server.problems import problem

UPLOAD = "/gradio_api/upload"
UPLOADS = (UPLOAD, "/v1/enhance", "/v1/batches", "/v1/photos")
"""What photos are sent to."""
MAX_LOGINS_PER_MINUTE = 20
MAX_AT_ONCE = 100
"""Requests of one client. A page makes two that last as long as it is open."""
MAX_POSTS, POST_SECONDS = 200, 5
"""So many requests of one client within so many seconds, uploads excepted. Each takes Gradio a few
milliseconds, even one that its queue refuses. A page sends one at a time, at most ten a second."""
BODY_SECONDS = 30
"""How long the body of a request may take to arrive, uploads excepted."""
UPLOAD_SECONDS, UPLOAD_SPEED = 15 * 60, 50_000
"""How long an upload may take, and the bytes per second that it may take in addition."""
SLOWED_SECONDS = 1
"""Who sends too much is answered so much later. A client that asks again at once would otherwise
cost the server as much as the work it is refused."""
TOO_MANY = say("Too many requests at once. Close some pages, or wait.")
TOO_LARGE = say("This request is too large. Send fewer photos at once.")
TOO_OFTEN = say("You have uploaded too much within a minute. Try again in a minute.")
LATE = say("This request took too long to arrive. Send it again.")
_ADDRESS = say("This server does not fetch photos from other addresses. Upload the photo itself.")
TOO_MANY_LOGINS = say("Too many login attempts. Try again in a minute.")
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="Photo enhancer", charset="UTF-8"'}
"""Says with status 401 how to log in to plain HTTP."""

# Parts of Gradio that this app does not use and that accept, fetch or print something for anyone;
# icons in any size but those in the app's manifest; what is longer than the path of any file,
# with numbers of more digits than `int` reads; and a line feed at the end, which Starlette's
# patterns allow ("$"), so that "/login\n" would be /login without its limit.
_CLOSED = re.compile(
    r"/gradio_api/(proxy=|process_recording|component_server|custom_component|file.*://)"
    r"|/pwa_icon/(?!(192|512)\Z)|.{4096}|.*\n\Z",
    re.DOTALL,
)
# What needs a login where there is one, beside what Gradio itself protects: plain HTTP except for
# the files of its documentation; results; uploads, before room is made for them; and what Gradio
# leaves open, an endless stream and MCP.
_PRIVATE = re.compile(r"/v1/(?!static/)|/batches/|/gradio_api/(upload|heartbeat|mcp)")
# Headers that are believed only from a proxy; x-gradio-server never, as Gradio's own proxy is not
# in use.
_PROXYS = (b"x-forwarded-", b"x-gradio-server", REQUEST_HEADER.encode())


class Guard:
    """ASGI middleware; see the module's docstring."""

    def __init__(
        self,
        app: ASGIApp,
        limits: Limits,
        behind_proxy: bool = False,
        framed_by: str = "'self'",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """behind_proxy: a trusted proxy sets the X-Forwarded headers, so the last address in
        X-Forwarded-For is the client's. framed_by: whose pages may show this one in a frame, as in
        a Content-Security-Policy. clock: monotonic seconds."""
        self._app = app
        self._limits = limits
        self._behind_proxy = behind_proxy
        self._uploads = Rate(limits.max_uploads_per_minute, clock)
        self._bytes = Rate(limits.max_upload_bytes_per_minute, clock)
        self._logins = Rate(MAX_LOGINS_PER_MINUTE, clock)
        self._posts = Rate(MAX_POSTS, clock, POST_SECONDS)
        self._at_once: WeakValueDictionary[str, CapacityLimiter] = WeakValueDictionary()
        self._headers = {
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
            "Content-Security-Policy": f"frame-ancestors {framed_by}",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it with a sentence. `request.state.client` is then the
        `client_key` of who sent it, for all that is behind this."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = self._believed(scope)
        headers = Headers(scope=scope)

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                told = MutableHeaders(scope=message)
                told.update({**self._headers, REQUEST_HEADER: headers[REQUEST_HEADER]})
                told.setdefault("Cache-Control", "private")
                told.add_vary_header("Accept-Language")  # of the page, and of each refusal
            await send(message)

        async def send_unless_late(message: Message) -> None:
            if not body.late:  # else the app answers that the client has gone
                await send_safely(message)

        body, visitor = Body(receive), HTTPConnection(scope)
        try:
            if foreign(headers):
                raise HTTPException(403, say("Pages of other websites cannot use this server."))
            # Before anything depends on whether a password is right.
            client = client_key(scope["client"][0], self._account(visitor))
            scope.setdefault("state", {})["client"] = client
            at_once = self._at_once.setdefault(client, CapacityLimiter(MAX_AT_ONCE))
            if not at_once.available_tokens:
                raise HTTPException(429, TOO_MANY)
            async with at_once:
                try:
                    checked = await self._checked(scope, body, client)
                    await self._app(scope, checked, send_unless_late)
                except HTTPException as refusal:
                    if refusal.status_code == 429:
                        await anyio.sleep(SLOWED_SECONDS)
                    raise
            if body.late:
                raise HTTPException(408, LATE)
        except HTTPException as refusal:
            # The connection ends because the rest of the body is not read.
            closing = {"Connection": "close", **(refusal.headers or {})}
            answer = problem(refusal.status_code, refusal.detail, headers, closing)
            await answer(scope, receive, send_safely)

    async def _checked(self, scope: Scope, body: Body, client: str) -> Receive:
        """The `receive` for the app. Raises HTTPException if the request is refused."""
        path, headers = get_route_path(scope).rstrip("/"), Headers(scope=scope)
        if _CLOSED.match(path):
            raise HTTPException(404, say("There is nothing at this address."))
        if scope["method"] != "POST":
            return body
        if "transfer-encoding" in headers or "content-length" not in headers:
            raise HTTPException(411, say("A request must say its length (Content-Length)."))
        length = int(headers["content-length"])
        if path not in UPLOADS:
            # A photo with a name of 255 letters takes 1.8 KB and 10 values; most take far less.
            if length > 64 * 1024 + 2 * 1024 * self._limits.max_photos:
                raise HTTPException(413, TOO_LARGE)
            if path == "/login" and not self._logins.take(client_key(scope["client"][0])):
                raise HTTPException(429, TOO_MANY_LOGINS)
            if not self._posts.take(client):
                raise HTTPException(429, TOO_MANY)
            return await self._read(scope, body)
        if length > self._limits.max_request_bytes:
            raise HTTPException(413, TOO_LARGE)
        if not (self._bytes.allows(client, length) and self._uploads.take(client)):
            raise HTTPException(429, TOO_OFTEN)
        self._bytes.take(client, length)
        body.expect(UPLOAD_SECONDS + length / UPLOAD_SPEED)
        return self._counted(body, headers, client)

    async def _read(self, scope: Scope, body: Body) -> Receive:
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
        _check(sent, 1000 + 20 * self._limits.max_photos)
        unread: list[Message] = [{"type": "http.request", "body": whole}]

        async def receive_again() -> Message:
            return unread.pop() if unread else await body()

        return receive_again

    def _counted(self, body: Body, headers: Headers, client: str) -> Receive:
        """A `receive` for an upload, which asks whether further files beyond the first are allowed
        as they begin. It raises MultiPartException, for which Gradio deletes what it has read."""
        options = parse_options_header(headers.get("content-type"))[1]
        start = b"--" + options.get(b"boundary", b"") + b"\r"  # the last boundary ends in "--"
        tail, free = b"", 1

        async def receive_counted() -> Message:
            nonlocal tail, free
            arriving, message = body.arriving, await body()
            if arriving and message["type"] == "http.disconnect":
                raise MultiPartException("The upload was interrupted.")
            text = tail + message.get("body", b"")
            tail = text[1 - len(start) :]
            files = text.count(start)
            if not self._uploads.take(client, max(0, files - free)):
                language = preferred(headers)
                raise MultiPartException(translated(TOO_OFTEN, language))
            free = max(0, free - files)
            return message

        return receive_counted

    def _account(self, visitor: HTTPConnection) -> str | None:
        """The account that a visitor has logged in with: on the page, or to plain HTTP with the
        request itself. None if the server has no login, or this address needs none.

        Raises HTTPException if it does; for a wrong password, which counts as one try to log in;
        and for any password after too many tries: what it says is then not looked at.
        """
        app: Any = visitor.app
        if getattr(app, "auth", None) is None:  # only Gradio's app has accounts
            return None
        names = (f"access-token-{app.cookie_id}", f"access-token-unsecure-{app.cookie_id}")
        found = (app.tokens.get(visitor.cookies.get(name)) for name in names)
        if user := next(filter(None, found), None):
            return str(user)
        path = get_route_path(visitor.scope)
        plain = path.startswith("/v1/")
        said = credentials(visitor.headers) if plain else None
        if said is None:
            if _PRIVATE.match(path):
                raise HTTPException(401, say("Log in first."), _CHALLENGE if plain else None)
            return None
        address = client_key(visitor.scope["client"][0])
        if not self._logins.allows(address):
            raise HTTPException(429, TOO_MANY_LOGINS)
        user, password = said
        known = app.auth.get(user)
        if not (known and compare_passwords_securely(password, known)):
            self._logins.take(address)
            raise HTTPException(401, say("The user name or the password is wrong."), _CHALLENGE)
        return user

    def _believed(self, scope: Scope) -> Scope:
        """The request with only trustworthy headers, its id for the log and the client's address.

        Gradio trusts every header, and would let one visitor's headers affect what others see.
        """
        unproven = (b"x-gradio-server",) if self._behind_proxy else _PROXYS
        proven = [header for header in scope["headers"] if not header[0].startswith(unproven)]
        headers = MutableHeaders(raw=proven)
        if not re.fullmatch(r"[\w.-]{8,64}", headers.get(REQUEST_HEADER, ""), re.ASCII):
            headers[REQUEST_HEADER] = uuid.uuid4().hex
        client = scope.get("client") or ("", 0)
        if forwarded := headers.getlist("x-forwarded-for"):
            # Addresses further left may come from the client itself.
            client = (forwarded[-1].rpartition(",")[2].strip(), 0)
        return {**scope, "headers": headers.raw, "client": client}


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
