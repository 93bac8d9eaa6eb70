"""Routes beside the page and the API: a batch's archive and report, health and metrics."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, TypedDict
from weakref import WeakValueDictionary

from anyio import CapacityLimiter, Lock, to_thread
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from zipstream import ZipStream

from enhance.options import Options
from enhance.pipeline.model_choice import resolve
from enhance.pipeline.reports import Outcome, as_csv, as_json
from enhance.version import VERSION
from enhance.web.batches.batch import Batch
from enhance.web.batches.store import BatchStore


class Health(TypedDict):
    """model: the face model that `restorer=auto` uses. It, `device` and `precision` are null while
    the models are loading. waiting: unfinished photos in all batches."""

    status: Literal["ok", "loading"]
    ready: bool
    model: str | None
    device: str | None
    precision: str | None
    waiting: int
    version: str


def health(batches: BatchStore) -> Health:
    """Whether the server can do its work; never blocks."""
    info = batches.engine.info
    return Health(
        status="ok" if info else "loading",
        ready=info is not None,
        model=resolve(Options(), info.device)[0].restorer if info else None,
        device=info.device if info else None,
        precision=info.precision if info else None,
        waiting=batches.waiting,
        version=VERSION,
    )


def routes(batches: BatchStore) -> list[BaseRoute]:
    """Results are for anyone who is logged in, as `Guard` checks, and knows the batch's unguessable
    key. Health and metrics are public: load balancers and Prometheus cannot log in, and neither
    reveals anything about a person."""

    def batch_of(request: Request) -> Batch:
        batch = batches.get(request.path_params["key"])
        if batch is None:
            raise _expired()
        return batch

    def archive(request: Request) -> Response:
        """Streamed from the disk photo by photo; the archive itself is never stored anywhere."""
        batch, picks = batch_of(request), _picks(request)
        stream = ZipStream(sized=True)  # stored, not compressed, as photos would not shrink
        try:
            # Deleted with the last reference to it, at the end of the download.
            folder = TemporaryDirectory(prefix="archive-", dir=batch.folder.parent)
            for path in batch.archive(Path(folder.name), picks):
                stream.add_path(path, path.name)
        except OSError as error:  # the batch has been deleted this very moment
            raise _expired() from error
        stream.add(as_json(batch.outcomes(picks)), "report.json")
        stream.add(as_csv(batch.outcomes(picks)), "report.csv")
        headers = {**_attachment("enhanced_photos.zip"), "Content-Length": str(len(stream))}

        def chunks() -> Iterator[bytes]:
            with folder:
                yield from stream

        return StreamingResponse(chunks(), media_type="application/zip", headers=headers)

    def report(name: str, write: Callable[[list[Outcome]], str], kind: str) -> Route:
        def answer(request: Request) -> Response:
            told = write(batch_of(request).outcomes(_picks(request)))
            return Response(told, media_type=kind, headers=_attachment(name))

        return Route(f"/batches/{{key}}/{name}", answer)

    one_at_a_time = CapacityLimiter(1)  # so that the model never waits long for its next photo
    clients: WeakValueDictionary[str, Lock] = WeakValueDictionary()

    async def preview(request: Request) -> Response:
        """A small picture of a photo as it was sent, for a page that shows it before its turn."""
        number, entries = request.path_params["number"], batch_of(request).entries
        entry = next((each for each in entries if each.source.number == number), None)
        if entry is None:
            raise HTTPException(404, "There is no such photo.")
        own = clients.setdefault(request.state.client, Lock())
        async with own:  # so that all clients take turns, however many one asks for
            path = await to_thread.run_sync(entry.previewed, batches.limits, limiter=one_at_a_time)
        return FileResponse(path, headers={"Cache-Control": "private, max-age=86400"})

    # Async, so that these need no free thread: a server that is slow to answer is taken for dead.
    async def alive(request: Request) -> Response:
        return JSONResponse(health(batches))

    async def ready(request: Request) -> Response:
        state = health(batches)
        return JSONResponse(state, 200 if state["ready"] else 503)

    async def metrics(request: Request) -> Response:
        text = generate_latest(batches.metrics.registry)
        return Response(text, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    return [
        Route("/health", alive),
        Route("/health/ready", ready),
        Route("/metrics", metrics),
        Route("/batches/{key}/photos/{number:int}", preview),
        Route("/batches/{key}/enhanced_photos.zip", archive),
        report("report.csv", as_csv, "text/csv"),
        report("report.json", as_json, "application/json"),
    ]


def _picks(request: Request) -> dict[int, int]:
    """Which version of a photo is asked for: `?0=2` for the third one of the first photo."""
    try:
        return {int(photo): int(version) for photo, version in request.query_params.items()}
    except ValueError as error:
        raise HTTPException(400, "The query must give a version's number by a photo's.") from error


def _expired() -> HTTPException:
    return HTTPException(404, "These results have expired. Enhance the photos again.")


def _attachment(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
