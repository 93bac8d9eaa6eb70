"""Answers that say what is wrong, as problem details (RFC 9457)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from http import HTTPStatus

from starlette.responses import JSONResponse

from enhance.web.language import preferred, translated

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True)
class Problem:
    """detail: a sentence. kind: the class of the error, if it is one about photos or options."""

    title: str
    status: int
    detail: str
    kind: str = ""


def problem(
    status: int,
    sentence: str,
    asked: Mapping[str, str],
    headers: Mapping[str, str] | None = None,
    kind: str = "",
) -> JSONResponse:
    """The answer, in the language of the request. asked: the request's headers; headers: the
    answer's own."""
    detail = translated(sentence, preferred(asked))
    told = Problem(HTTPStatus(status).phrase, status, detail, kind)
    return JSONResponse(asdict(told), status, headers, media_type=MEDIA_TYPE)
