"""Plain HTTP beside Gradio's API: one request in, the enhanced file out.

This module does without `from __future__ import annotations`, because FastAPI reads the types.
"""

import asyncio
import json
import shutil
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from functools import lru_cache, partial
from pathlib import Path, PureWindowsPath
from tempfile import TemporaryDirectory
from typing import Annotated, Any, TypeVar

import fastapi_offline
from fastapi import APIRouter, Form, Request, UploadFile
from fastapi import Path as PathParameter
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from fastapi.staticfiles import StaticFiles
from gradio.route_utils import get_root_url
from PIL import Image
from pydantic import BaseModel, TypeAdapter
from starlette._utils import get_route_path
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount

from enhance.errors import Cancelled
from enhance.i18n import say
from enhance.models.inventory import Model, inventory
from enhance.options import OLD_NAMES, OPTIONS, Options, renamed
from enhance.photos import EXTENSIONS
from enhance.pipeline.reports import record
from enhance.records import Source
from enhance.version import VERSION
from enhance.web import http_contract as contract
from enhance.web.batches.batch import Batch
from enhance.web.batches.disk_shares import storing
from enhance.web.batches.entries import Entry
from enhance.web.batches.store import BatchStore
from enhance.web.batches.work import work
from enhance.web.language import preferred, translated
from enhance.web.log import REQUEST_HEADER
from enhance.web.server.problems import Problem
from enhance.web.server.shared_queue import SharedQueue

T = TypeVar("T")
Done = tuple[Batch, Entry]

_FORM = Form(media_type="multipart/form-data")
_DOCS_FILES = Path(fastapi_offline.__file__).with_name("static")


def http_routes(batches: BatchStore, queue: SharedQueue) -> list[BaseRoute]:
    """The endpoints under /v1, which share the batches and the queue with the page."""
    router = APIRouter(
        prefix="/v1", route_class=contract.PlainRoute, responses=contract.refusals(401, 403, 429)
    )

    async def finished(
        photos: list[UploadFile], sent: BaseModel, request: Request
    ) -> AsyncGenerator[Done, None]:
        """The photos, each as soon as it is done. Raises HTTPException or EnhanceError."""
        texts = {name: getattr(sent, name) for name in (*OPTIONS, *OLD_NAMES)}
        values = renamed({name: text for name, text in texts.items() if text})
        options = Options(**{name: OPTIONS[name].read(text) for name, text in values.items()})
        start = partial(_start, batches, photos, options, request)
        async with queue.turn(request), aclosing(work(start)) as done:
            async for each in done:
                yield each

    @router.post(
        "/enhance", response_model=contract.EnhancedPhoto, responses=contract.PHOTO_ANSWERS
    )
    async def enhance(sent: Annotated[contract.PhotoForm, _FORM], request: Request) -> Response:
        """Enhance one photo. The answer is the enhanced file; the header `Enhance-Report` has its
        report without the lists of faces. With `Accept: application/json` the answer is the
        report, in which `file` is a link to the file."""
        async with aclosing(finished([sent.photo], sent, request)) as done:
            batch, entry = await _unless_gone(request, anext(done))
        told = _told(batch, entry, request)
        if entry.version is None:
            return contract.failed(told["reason"], told["kind"], request)
        if "application/json" in request.headers.get("accept", ""):
            return JSONResponse(told)
        for lists in filter(None, (told, told["findings"])):  # long, for a header
            del lists["faces"]
        return _file(entry.version.file, {contract.REPORT_HEADER: json.dumps(told)})

    @router.post(
        "/batches",
        response_class=contract.JsonLines,
        response_model=contract.EnhancedPhoto | contract.FailedPhoto,
        responses=contract.WORK_REFUSALS,
    )
    async def enhance_batch(
        sent: Annotated[contract.PhotosForm, _FORM], request: Request
    ) -> Response:
        """Enhance photos. The answer has one JSON object per line for each photo, sent as soon as
        it is done: the report with a link to the file; or why the photo failed, while the others go
        on. `index` is the photo's place in the request."""
        done = finished(sent.photos, sent, request)
        first = await _unless_gone(request, anext(done))

        async def lines() -> AsyncGenerator[str, None]:
            async with aclosing(done):
                each: Done | None = first
                while each:
                    yield json.dumps(_told(*each, request), ensure_ascii=False) + "\n"
                    each = await anext(done, None)

        return contract.JsonLines(lines(), headers={"X-Accel-Buffering": "no"})

    @router.post("/photos", response_model=contract.Handed, responses=contract.HAND_OVER_REFUSALS)
    def hand_over(sent: Annotated[contract.HandedForm, _FORM], request: Request) -> contract.Handed:
        """Hand photos to the page, where a person can enhance them: open the address `page` in a
        browser. Like other uploads they are kept for some hours."""
        batch = _start(batches, sent.photos, None, request)
        return contract.Handed(page=f"{_root(request)}/?photos={batch.key}")

    @router.get(
        "/batches/{key}/{index}", response_class=FileResponse, responses=contract.RESULT_ANSWERS
    )
    def result(key: str, index: Annotated[int, PathParameter(ge=0)]) -> FileResponse:
        """The enhanced file of a photo, under the link that its report has."""
        batch = batches.get(key)
        entry = batch.entries[index] if batch and index < len(batch.entries) else None
        if batch is None or entry is None or entry.version is None:
            raise HTTPException(404, say("There is no such result, or it has expired."))
        batch.touched = time.monotonic()
        return _file(entry.version.file, {})

    @router.get("/options")
    def options(request: Request) -> list[dict[str, Any]]:
        """Every option: its name, its JSON schema, and in the language of the request its `group`,
        `label`, `help` and `unit`."""
        language = preferred(request.headers)
        words = ("group", "label", "help", "unit")
        return [
            {word: translated(getattr(option, word), language) for word in words}
            | {"name": name, **option.schema}
            for name, option in OPTIONS.items()
        ]

    @router.get("/models", response_model=list[contract.MODEL])
    def models() -> list[Model]:
        """Every model that the options can name, and whether it is present on the server."""
        return list(inventory())

    # Kept until there are other options, that is other models: it takes a tenth of a second.
    @lru_cache(1)
    def described(options: str) -> dict[str, Any]:
        schema = get_openapi(title="Photo enhancer", version=VERSION, routes=router.routes)
        schema["components"]["schemas"]["Problem"] = TypeAdapter(Problem).json_schema()
        login = {"type": "http", "scheme": "basic", "description": "Where the server has a login."}
        schema["components"]["securitySchemes"] = {"login": login}
        schema["security"] = [{"login": []}, {}]
        return schema

    @router.get("/openapi.json", include_in_schema=False)
    def openapi(request: Request) -> JSONResponse:
        """The description of all this, as OpenAPI 3.1."""
        schema = described(json.dumps([option.schema for option in OPTIONS.values()]))
        return JSONResponse(schema | {"servers": [{"url": _root(request)}]})

    @router.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        """A page to read the description and to try it out."""
        return get_swagger_ui_html(
            openapi_url="openapi.json",
            title="Photo enhancer",
            swagger_js_url="static/swagger-ui-bundle.js",
            swagger_css_url="static/swagger-ui.css",
            swagger_favicon_url="../favicon.ico",
            swagger_ui_parameters={"validatorUrl": None},  # it is elsewhere
        )

    return [*router.routes, Mount("/v1/static", StaticFiles(directory=_DOCS_FILES))]


def _start(
    batches: BatchStore, photos: list[UploadFile], options: Options | None, request: Request
) -> Batch:
    """Start a batch; without options, one for the page."""
    session, number = uuid.uuid4().hex, request.headers[REQUEST_HEADER]
    with storing(), TemporaryDirectory() as folder:
        sources = []
        for i, photo in enumerate(photos):
            said = PureWindowsPath(photo.filename or "")
            extension = said.suffix.lower()
            path = Path(folder, f"{i}{extension if extension in EXTENSIONS else ''}")
            name = said.name.encode("utf-8", "replace").decode()[:255] or "photo"
            sources.append(Source(path, name))
            with photo.file, path.open("wb") as file:
                shutil.copyfileobj(photo.file, file)
        client, viewed = request.state.client, options is None
        batch = batches.start(sources, options, session, number, client=client, viewed=viewed)
    request.state.saved()
    return batch


def _told(batch: Batch, entry: Entry, request: Request) -> dict[str, Any]:
    """What the client is told of a photo that is done."""
    assert entry.outcome is not None
    told = record(entry.outcome) | {"index": batch.entries.index(entry)}
    if entry.version:
        told["file"] = f"{_root(request)}/v1/batches/{batch.key}/{told['index']}"
    return told


def _file(file: Path, headers: dict[str, str]) -> FileResponse:
    kind = Image.MIME[Image.registered_extensions()[file.suffix]]
    return FileResponse(file, headers=headers, media_type=kind, filename=file.name)


def _root(request: Request) -> str:
    """The address of the app, as its client sees it."""
    return get_root_url(request, get_route_path(request.scope), request.app.root_path)


async def _unless_gone(request: Request, item: Awaitable[T]) -> T:
    """Wait for it; cancel it when the client disconnects. Raises what it raises."""
    waiting = asyncio.ensure_future(item)

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        waiting.cancel()

    leaving = asyncio.ensure_future(gone())
    try:
        return await waiting
    except asyncio.CancelledError:
        if not leaving.done():
            raise
        raise HTTPException(400, "The client has gone.") from None
    except StopAsyncIteration:
        raise Cancelled("The work was stopped.") from None
    finally:
        leaving.cancel()
