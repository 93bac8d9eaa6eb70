"""Addresses outside the page and the API: a batch's archive and report."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from zipstream import ZipStream

from enhance.reports import as_csv, as_json
from enhance.ui.batches import Batch, Batches


def routes(batches: Batches) -> list[BaseRoute]:
    """Whoever knows a batch's unguessable key, and is logged in, may have its results."""

    def batch_of(request: Request) -> Batch:
        if not _logged_in(request):
            raise HTTPException(401, "Log in first.")
        batch = batches.get(request.path_params["key"])
        if batch is None:
            raise HTTPException(404, "These results have expired. Enhance the photos again.")
        return batch

    def archive(request: Request) -> Response:
        """Photo by photo from the disk: no archive is ever held in memory or on the disk."""
        batch = batch_of(request)
        stream = ZipStream(sized=True)  # stored, not compressed: photos do not shrink
        for path, name in batch.archive():
            stream.add_path(path, name)
        stream.add(as_json(batch.outcomes()), "report.json")
        stream.add(as_csv(batch.outcomes()), "report.csv")
        headers = {**_attachment("enhanced_photos.zip"), "Content-Length": str(len(stream))}
        return StreamingResponse(iter(stream), media_type="application/zip", headers=headers)

    def report_csv(request: Request) -> Response:
        return Response(
            as_csv(batch_of(request).outcomes()),
            media_type="text/csv; charset=utf-8",
            headers=_attachment("report.csv"),
        )

    def report_json(request: Request) -> Response:
        return Response(
            as_json(batch_of(request).outcomes()),
            media_type="application/json",
            headers=_attachment("report.json"),
        )

    return [
        Route("/batches/{key}/enhanced_photos.zip", archive),
        Route("/batches/{key}/report.csv", report_csv),
        Route("/batches/{key}/report.json", report_json),
    ]


def _logged_in(request: Request) -> bool:
    """Whether Gradio knows whoever asks, or asks nobody to log in."""
    app = request.app
    if app.auth is None:
        return True
    names = (f"access-token-{app.cookie_id}", f"access-token-unsecure-{app.cookie_id}")
    return any(app.tokens.get(request.cookies.get(name)) for name in names)


def _attachment(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
