"""Problem: what a caller did not get, and why, in the form of RFC 9457."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from spreader.runtime.postgres import is_transient

log = structlog.get_logger()

RETRY_AFTER_SECONDS = 2

KINDS: Mapping[str, tuple[int, str]] = {
    "unauthorized": (401, "The API key is missing or wrong"),
    "not-found": (404, "There is no such thing"),
    "method": (405, "This address does not take this method"),
    "invalid": (422, "Fields of the request are not valid"),
    "internal": (500, "Something went wrong on our side"),
    "unavailable": (503, "A server that is needed is away"),
}
"""Every kind: its status and title. The kind is the `code` of a problem, and ends its `type`."""


@dataclass
class Problem(Exception):
    """Raised by an endpoint: the answer is this problem instead."""

    code: str
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    errors: tuple[Mapping[str, str], ...] = ()

    def response(self) -> JSONResponse:
        status, title = KINDS[self.code]
        body: dict[str, object] = {
            "type": f"/problems/{self.code}",
            "title": title,
            "status": status,
            "detail": self.detail,
            "code": self.code,
        }
        if self.errors:
            body["errors"] = self.errors
        return JSONResponse(body, status, dict(self.headers), media_type="application/problem+json")


def unavailable(detail: str) -> Problem:
    return Problem("unavailable", detail, {"Retry-After": str(RETRY_AFTER_SECONDS)})


def install(app: FastAPI) -> None:
    """Give every failure of `app` this one form."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    for passing in (SQLAlchemyError, OSError, TimeoutError):
        app.add_exception_handler(passing, _on_failure)
    app.add_exception_handler(Exception, _on_failure)


async def _on_problem(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    return error.response()


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = "method" if error.status_code == 405 else "not-found"
    detail = f"{request.method} {request.url.path} is not part of this API; /docs lists what is."
    return Problem(code, detail, error.headers or {}).response()


async def _on_invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    wrong = tuple(
        {"parameter": str(each["loc"][-1]), "code": str(each["type"]), "detail": str(each["msg"])}
        for each in error.errors()
    )
    return Problem("invalid", f"{wrong[0]['parameter']}: {wrong[0]['detail']}", errors=wrong).response()


async def _on_failure(request: Request, error: Exception) -> JSONResponse:
    if is_transient(error):
        log.warning("the database is away", path=request.url.path, error=f"{type(error).__name__}: {error}")
        return unavailable("The database does not answer. Send the request again in a moment.").response()
    log.error("a request failed", path=request.url.path, exc_info=error)
    return Problem("internal", "The request could not be worked on; the log of the stats has the cause.").response()
