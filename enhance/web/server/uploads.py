"""Who uploads what, so that nobody's uploads take more than a share of the disk."""

import json
from contextlib import suppress
from functools import partial
from pathlib import Path

from anyio import CapacityLimiter, to_thread
from gradio.route_utils import GradioMultiPartParser
from starlette._utils import get_route_path
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from enhance.errors import NoRoom
from enhance.web.batches.store import BatchStore
from enhance.web.server.middleware import UPLOAD, UPLOADS


def refuse_texts() -> None:
    """Have Gradio refuse uploads with fields that are no files: it would keep those in memory,
    however long they are."""
    read = GradioMultiPartParser.on_headers_finished

    def read_file(self: GradioMultiPartParser) -> None:
        read(self)
        if self._current_part.file is None:
            raise MultiPartException("Only files can be uploaded.")

    GradioMultiPartParser.on_headers_finished = read_file  # type: ignore[method-assign]


class UploadShares:
    """ASGI middleware, behind `Guard`: refuses an upload that does not fit into its sender's share
    of the disk, and notes whose the files are that have been uploaded."""

    def __init__(self, app: ASGIApp, batches: BatchStore) -> None:
        self._app = app
        self._batches = batches
        self._one_at_a_time = CapacityLimiter(1)  # a look at the disk may take long

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request. Raises HTTPException before an answer has begun."""
        upload = scope["type"] == "http" and scope["method"] == "POST"
        path = get_route_path(scope).rstrip("/")
        if not upload or path not in UPLOADS:
            await self._app(scope, receive, send)
            return
        client, room = scope["state"]["client"], self._batches.room
        length = int(Headers(scope=scope)["content-length"])  # without one Guard refuses it
        try:
            coming = await to_thread.run_sync(
                room.expect, client, length, limiter=self._one_at_a_time
            )
        except NoRoom as error:
            raise HTTPException(507, error.sentence) from error
        # For a handler that has saved the photos elsewhere long before its answer ends.
        scope["state"]["saved"] = partial(room.arrived, coming)
        answer = bytearray()

        async def send_noting(message: Message) -> None:
            answer.extend(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, send_noting if path == UPLOAD else send)
        finally:
            room.arrived(coming)
        with suppress(ValueError):  # Gradio says in plain text why it has refused an upload
            paths = json.loads(answer)
            if isinstance(paths, list):
                self._batches.sent(client, map(Path, paths))
        for remembered in scope["app"].get_blocks().temp_file_sets:
            remembered.clear()  # Gradio would never forget them, as it does not delete the files
