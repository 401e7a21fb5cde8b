"""Everything that goes wrong, as one kind of answer: a problem in JSON by RFC 9457, with what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from clairvoy.apps.serve.crew import FullError, LostError, TooSlowError
from clairvoy.errors import ClairvoyError, SettingsError, TooLargeError, UnknownFormatError

MEDIA_TYPE = "application/problem+json"
SECONDS_TO_RETRY = 2
"""What a client that found no place is told to wait."""


class ProblemError(Exception):
    """An answer that says what is wrong.

    Parameters
    ----------
    status
        Of HTTP.
    detail
        What is wrong with this request, and the remedy.
    headers
        That belong to the status.
    """

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, dict(headers or {})


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The answer by RFC 9457, section 3."""
    body = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(body, status, headers, MEDIA_TYPE)


def described(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI is told of answers with these statuses."""
    schema = {
        "type": "object",
        "required": ["title", "status", "detail"],
        "properties": {
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string", "description": "what is wrong with this request, and what to do"},
        },
    }
    content = {MEDIA_TYPE: {"schema": schema}}
    return {int(status): {"description": status.phrase, "content": content} for status in statuses}


def of_work(error: Exception) -> ProblemError:
    """What a client is told of an error that the work on its picture ended with."""
    if isinstance(error, FullError):
        return ProblemError(
            HTTPStatus.TOO_MANY_REQUESTS,
            "as many pictures as this server takes are waiting; try again soon",
            {"Retry-After": str(SECONDS_TO_RETRY)},
        )
    if isinstance(error, TooSlowError):
        return ProblemError(
            HTTPStatus.GATEWAY_TIMEOUT,
            "the picture takes longer than this server works on one; reduce it, or ask for fewer samples",
        )
    if isinstance(error, LostError):
        return ProblemError(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "the process that worked on the picture was lost; reduce the picture, or save it in another format",
        )
    statuses: dict[type[Exception], HTTPStatus] = {
        TooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        UnknownFormatError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        SettingsError: HTTPStatus.UNPROCESSABLE_ENTITY,
        ClairvoyError: HTTPStatus.UNPROCESSABLE_ENTITY,
    }
    status = next((status for kind, status in statuses.items() if isinstance(error, kind)), None)
    if status is None:
        return ProblemError(HTTPStatus.INTERNAL_SERVER_ERROR, "a fault of clairvoy; please report it")
    return ProblemError(status, str(error).replace("<bytes>:", "the picture").strip())


def install(app: FastAPI) -> None:
    """Let every error of an application be answered as a problem."""

    @app.exception_handler(ProblemError)
    async def own(request: Request, error: ProblemError) -> JSONResponse:
        return problem(error.status, error.detail, error.headers)

    @app.exception_handler(HTTPException)
    async def routed(request: Request, error: HTTPException) -> JSONResponse:
        details = {
            404: f"there is nothing at {request.url.path}; /openapi.json describes what there is",
            405: f"{request.method} does nothing at {request.url.path}; /openapi.json describes what does",
        }
        return problem(error.status_code, details.get(error.status_code, str(error.detail)), error.headers)

    @app.exception_handler(RequestValidationError)
    async def refused(request: Request, error: RequestValidationError) -> JSONResponse:
        told = "; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors())
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, told)

    @app.exception_handler(Exception)
    async def fault(request: Request, error: Exception) -> JSONResponse:
        return problem(
            HTTPStatus.INTERNAL_SERVER_ERROR, "a fault of clairvoy; please report it with the server's log"
        )
