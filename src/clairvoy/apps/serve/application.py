"""The HTTP API: pictures in, pictures and reports out. What it answers is described at ``/openapi.json``."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Collection
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from clairvoy import __version__
from clairvoy.apps.outputs import finite
from clairvoy.apps.serve import problems
from clairvoy.apps.serve.crew import Crew
from clairvoy.apps.serve.guard import Guard
from clairvoy.apps.serve.metrics import CONTENT_TYPE_LATEST, Metrics
from clairvoy.apps.serve.page_files import add_page
from clairvoy.apps.serve.problems import ProblemError
from clairvoy.apps.serve.uploads import Answer, Upload

MOST_SAMPLES = 16
MEDIA_TYPES = {format: f"image/{format.lower()}" for format in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")}
SUFFIXES = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "TIFF": "tif", "AVIF": "avif"}
REPORT_HEADER = "Clairvoy-Report"
PARTS = "multipart/form-data"
"""What a client accepts that wants picture, report and maps in one answer."""
_REFUSALS = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.GATEWAY_TIMEOUT,
)
_BODY = {
    "requestBody": {
        "required": True,
        "description": "The bytes of a picture file. Its format is recognised by its content.",
        "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_PICTURE: dict[str, Any] = {
    "description": "The picture without its haze, or as it was sent if no haze was recognised.",
    "headers": {
        REPORT_HEADER: {"description": "the report, as JSON on one line", "schema": {"type": "string"}}
    },
    "content": {
        **{media: {"schema": {"type": "string", "format": "binary"}} for media in MEDIA_TYPES.values()},
        PARTS: {
            "schema": {
                "type": "object",
                "properties": {
                    "report": {"type": "object"},
                    **{name: {"type": "string", "format": "binary"} for name in ("picture", "haze", "tau")},
                },
            }
        },
    },
}

Strength = Annotated[float, Query(ge=0, le=1, description="how much haze to remove")]
Samples = Annotated[
    int, Query(ge=1, le=MOST_SAMPLES, description="restorations to draw, of which one is kept")
]
Force = Annotated[bool, Query(description="restore even where no haze is recognised")]
Preset = Annotated[Literal["fast", "fine"], Query(description="fine: perceive at three sizes, and mirrored")]
Format = Annotated[
    Literal["jpg", "png", "webp", "tif", "avif"] | None,
    Query(description="of the restored picture; by default its own where that can be written"),
]
Quality = Annotated[int | None, Query(ge=1, le=100, description="of JPEG, AVIF and WebP")]


def make_app(crew: Crew, *, hosts: Collection[str] | None = None, token: str | None = None) -> FastAPI:
    """The application.

    Parameters
    ----------
    crew
        What restores; started by the caller.
    hosts
        See `Guard`.
    token
        What clients have to show as a bearer token for everything but ``/healthz``; None: nothing.
    """
    app = FastAPI(
        title="clairvoy",
        version=__version__,
        summary="Clears haze and fog from photographs, and says how far to trust the result.",
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
    )
    metrics = Metrics(crew)
    problems.install(app)
    app.add_middleware(Guard, hosts=hosts, metrics=metrics)
    known = [Depends(_knows(token))] if token else []
    refusals = problems.described(*_REFUSALS)

    async def place() -> AsyncIterator[None]:
        try:
            async with crew.place():
                yield
        except problems.FullError as error:
            raise problems.of_work(error) from error

    # The token before the place, and both before the body is read.
    work = [*known, Depends(place)]

    @app.post(
        "/v1/clear",
        dependencies=work,
        response_class=Response,
        responses={200: _PICTURE, **refusals},
        openapi_extra=_BODY,
    )
    async def clear(
        request: Request,
        strength: Strength = 1.0,
        samples: Samples = 1,
        force: Force = False,
        preset: Preset = "fast",
        format: Format = None,
        quality: Quality = None,
    ) -> Response:
        """Clear the haze from a picture."""
        in_parts = PARTS in request.headers.get("accept", "")
        data = await _body(request, crew)
        upload = Upload(data, strength, samples, force, preset, format, quality, maps=in_parts)
        answer = await _answered(request, crew, upload)
        metrics.pixels.inc(_pixels(answer))
        return _parts(answer) if in_parts else _picture(answer)

    @app.post("/v1/report", dependencies=work, responses=refusals, openapi_extra=_BODY)
    async def report(
        request: Request, strength: Strength = 1.0, force: Force = False, preset: Preset = "fast"
    ) -> dict[str, Any]:
        """Say of a picture what would be found and done, without restoring it."""
        data = await _body(request, crew)
        upload = Upload(data, strength, force=force, preset=preset, restored=False)
        answer = await _answered(request, crew, upload)
        metrics.pixels.inc(_pixels(answer))
        told: dict[str, Any] = finite(answer.report)
        return told

    @app.get("/healthz", responses=problems.described(HTTPStatus.SERVICE_UNAVAILABLE))
    async def healthz() -> dict[str, Any]:
        """Say whether pictures can be restored now."""
        if not crew.alive and crew.cannot_start:
            raise ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "no process is there that could restore, and none could be started; it is tried again and again",
            )
        return {
            "status": "ok",
            "version": __version__,
            "workers": crew.alive,
            "busy": crew.working,
            "places": crew.places,
            "taken": crew.taken,
        }

    @app.get(
        "/metrics",
        dependencies=known,
        response_class=Response,
        responses={
            200: {"content": {CONTENT_TYPE_LATEST.partition(";")[0]: {"schema": {"type": "string"}}}},
            **problems.described(HTTPStatus.UNAUTHORIZED),
        },
    )
    async def numbers() -> Response:
        """What was counted, for Prometheus."""
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    add_page(app, crew.model, bool(token))
    return app


def _knows(token: str) -> Any:
    async def check(
        shown: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))],
    ) -> None:
        if shown is None or not secrets.compare_digest(shown.credentials.encode("latin-1"), token.encode()):
            raise ProblemError(
                HTTPStatus.UNAUTHORIZED,
                "this server wants to know who asks; send the header Authorization: Bearer TOKEN",
                {"WWW-Authenticate": "Bearer"},
            )

    return check


async def _body(request: Request, crew: Crew) -> bytes:
    """The upload, as long as it is neither larger nor slower than is allowed."""
    limits = crew.model.limits
    if request.headers.get("content-type", "").startswith("multipart/"):
        raise ProblemError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "a form was sent; send the picture itself as the body, such as by curl --data-binary @foggy.jpg",
        )
    too_large = ProblemError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the upload has more than {limits.bytes:,} bytes, which this server does not take; reduce the picture",
    )
    promised = request.headers.get("content-length", "")
    if promised.isdigit() and int(promised) > limits.bytes:
        raise too_large
    data = bytearray()
    try:
        async with asyncio.timeout(limits.seconds):
            async for chunk in request.stream():
                data += chunk
                if len(data) > limits.bytes:
                    raise too_large
    except TimeoutError as error:
        raise ProblemError(
            HTTPStatus.REQUEST_TIMEOUT,
            f"the upload took longer than {limits.seconds:g} seconds; reduce the picture, or find a faster line",
            {"Connection": "close"},
        ) from error
    if not data:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "the body is empty; send a picture as the body")
    return bytes(data)


async def _answered(request: Request, crew: Crew, upload: Upload) -> Answer:
    """What became of an upload; the work is stopped if the client goes away."""
    work = asyncio.create_task(crew.restore(upload))
    gone = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            # Nobody reads this; it is counted.
            raise ProblemError(HTTPStatus.REQUEST_TIMEOUT, "the client has gone")
        return work.result()
    except ProblemError:
        raise
    except Exception as error:
        raise problems.of_work(error) from error
    finally:
        for task in (work, gone):
            task.cancel()
        # Until the work has really stopped its place is taken.
        await asyncio.gather(work, gone, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _picture(answer: Answer) -> Response:
    headers = {
        REPORT_HEADER: json.dumps(finite(answer.report), separators=(",", ":")),
        "Content-Disposition": f'attachment; filename="clear.{SUFFIXES[answer.format]}"',
    }
    return Response(answer.picture, headers=headers, media_type=MEDIA_TYPES[answer.format])


def _parts(answer: Answer) -> Response:
    """Everything as one form, which `fetch(...).then(answer => answer.formData())` takes apart."""
    boundary = secrets.token_hex(16)
    parts = [
        ("report", "report.json", "application/json", json.dumps(finite(answer.report)).encode()),
        ("picture", f"clear.{SUFFIXES[answer.format]}", MEDIA_TYPES[answer.format], answer.picture),
        ("haze", "haze.png", "image/png", answer.haze),
        ("tau", "tau.png", "image/png", answer.tau),
    ]
    body = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{file}"\r\n'
        f"Content-Type: {media}\r\n\r\n".encode()
        + data
        + b"\r\n"
        for name, file, media, data in parts
    )
    return Response(body + f"--{boundary}--\r\n".encode(), media_type=f"{PARTS}; boundary={boundary}")


def _pixels(answer: Answer) -> int:
    height, width = answer.report["size"]
    return int(height * width)
