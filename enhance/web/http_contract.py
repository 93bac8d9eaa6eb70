"""What plain HTTP takes and answers: forms, records and problems, from which its description
follows.

This module does without `from __future__ import annotations`, because FastAPI reads the types.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_type_hints

from fastapi import Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field, create_model
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from enhance.errors import EnhanceError
from enhance.i18n import say
from enhance.models.inventory import Model
from enhance.option_spec import OptionSpec
from enhance.options import OLD_NAMES, OPTIONS
from enhance.records import Failure, Report
from enhance.web.batches.disk_shares import storing
from enhance.web.server.problems import MEDIA_TYPE, problem

REPORT_HEADER = "Enhance-Report"
_FIELD_BYTES = 16 * 1024  # the longest value of an option
# Errors that a request can cause, by class; any other is the server's own.
_STATUS = {
    "OptionsError": 422,
    "UnreadablePhoto": 422,
    "UnsupportedPhoto": 422,
    "WeightsMissing": 422,
    "PhotoTooLarge": 413,
    "TooManyPhotos": 413,
    "NoRoom": 507,
    "NotSaved": 507,
}
_MEANINGS = {
    400: "The form cannot be read, or too much was uploaded within a minute",
    401: "Not logged in",
    403: "Sent by a page of another website",
    404: "There is no such result, or it has expired",
    408: "The request took too long to arrive",
    411: "The request does not say its length",
    413: "The request or the photo is too large, or there are too many photos",
    422: "The photo cannot be enhanced, or an option is out of its range",
    429: "Your share of the queue, of uploads or of open requests is used up",
    500: "Enhancing the photo failed",
    507: "Your share of the disk is used up, or the disk is full",
}


@dataclass(frozen=True, kw_only=True)
class EnhancedPhoto(Report):
    """The report of an enhanced photo. index: its place in the request, from 0. file: where the
    enhanced file can be fetched for some hours."""

    ok: Literal[True]
    index: int
    file: str


@dataclass(frozen=True, kw_only=True)
class FailedPhoto(Failure):
    """Why a photo could not be enhanced. index: its place in the request, from 0."""

    ok: Literal[False]


class HandedForm(BaseModel):
    """A form of photos alone."""

    model_config = ConfigDict(extra="forbid")
    photos: list[UploadFile] = Field(min_length=1)


class Handed(BaseModel):
    """page: the address at which the page shows the photos."""

    page: str


class JsonLines(StreamingResponse):
    """One JSON object per line."""

    media_type = "application/jsonl"


def _form(name: str, **photos: Any) -> Any:
    """A form of photos and of all options, as texts that `Options` reads and checks."""
    fields: Any = photos | {each: (str, _field(spec)) for each, spec in OPTIONS.items()}
    fields |= {
        old: (str, Field("", title=f"now {now}", deprecated=True)) for old, now in OLD_NAMES.items()
    }
    return create_model(name, __config__=ConfigDict(extra="forbid"), **fields)


def _field(spec: OptionSpec) -> Any:
    def describe(schema: dict[str, Any]) -> None:  # when it is asked for: models may be added
        del schema["type"]
        schema |= {"anyOf": [spec.schema, {"const": ""}], "default": spec.default}

    return Field("", title=spec.label, description=spec.description, json_schema_extra=describe)


PhotoForm = _form("Photo", photo=(UploadFile, ...))
PhotosForm = _form("Photos", photos=(list[UploadFile], Field(min_length=1)))
MODEL = create_model("Model", **get_type_hints(Model))  # type: ignore[call-overload]


class PlainRoute(APIRoute):
    """Reads forms with limits; refuses with a `problem`."""

    def get_route_handler(self) -> Callable[[Request], Any]:
        """See `APIRoute`."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                if self.body_field:  # read here, with limits; FastAPI finds it read
                    try:
                        with storing():
                            fields = 2 * len(OPTIONS)
                            await request.form(max_fields=fields, max_part_size=_FIELD_BYTES)
                    except UnicodeError as error:  # forms may name any codec of Python
                        raise HTTPException(400, "Invalid multipart data.") from error
                return await handle(request)
            except HTTPException as error:
                return problem(error.status_code, error.detail, request.headers, error.headers)
            except RequestValidationError as error:
                return problem(422, _invalid(error), request.headers)
            except EnhanceError as error:
                return failed(error.sentence, type(error).__name__, request)

        return answer


def _invalid(error: RequestValidationError) -> str:
    """A sentence about the first field that is not as the description says."""
    first = error.errors()[0]
    name = str(first["loc"][-1 if isinstance(first["loc"][-1], str) else -2])[:100]
    if first["type"] == "extra_forbidden":
        return say("There is no option “{name}”. GET /v1/options lists all.", name=name)
    if name.startswith("photo"):
        return say("Send photos as files, in the field “{name}” of a form.", name=name)
    return say("“{name}” is not what this server expects there.", name=name)


def failed(sentence: str, kind: str, request: Request) -> Response:
    return problem(_STATUS.get(kind, 500), sentence, request.headers, kind=kind)


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """How the description words what an endpoint may answer beside what was asked for."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {each: {"description": _MEANINGS[each], "content": content} for each in statuses}


_IMAGE = {"image/*": {"schema": {"type": "string", "contentMediaType": "image/*"}}}
_REPORT = {REPORT_HEADER: {"description": "The report as JSON.", "schema": {"type": "string"}}}
RESULT_ANSWERS = refusals(404, 422) | {200: {"content": _IMAGE}}
WORK_REFUSALS = refusals(*_MEANINGS.keys() - {404})
PHOTO_ANSWERS = WORK_REFUSALS | {200: {"content": _IMAGE, "headers": _REPORT}}
HAND_OVER_REFUSALS = refusals(*_MEANINGS.keys() - {404, 500})
