"""Problem: an HTTP error response in the form of RFC 9457, the same for every service.

A service lists the kinds of problem that it returns and gives them to `install`. The `type` of a problem is a path on
the same server that describes its kind.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic_core import to_json
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Route

from spreader.runtime.postgres import is_transient
from spreader.telemetry.request_id import current_request_id

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"
ERRORS_MAX = 50
RETRY_AFTER_SECONDS = 2


class ProblemKind(NamedTuple):
    """`code` names the kind for programs, `title` for people. `more`: the TypedDict of the members that only problems
    of this kind have."""

    code: str
    status: int
    title: str
    more: Any = None


MALFORMED = ProblemKind("malformed", 400, "Malformed request body")
UNAUTHORIZED = ProblemKind("unauthorized", 401, "Missing or invalid API key")
NOT_FOUND = ProblemKind("not-found", 404, "Not found")
METHOD_NOT_ALLOWED = ProblemKind("method", 405, "Method not allowed")
INVALID = ProblemKind("invalid", 422, "Invalid request")
INTERNAL = ProblemKind("internal", 500, "Internal server error")
UNAVAILABLE = ProblemKind("unavailable", 503, "Service unavailable")
COMMON_KINDS = (MALFORMED, UNAUTHORIZED, NOT_FOUND, METHOD_NOT_ALLOWED, INVALID, INTERNAL, UNAVAILABLE)

_CODES_OF_STATUS: Mapping[int, str] = {404: "not-found", 405: "method", 413: "too-large"}
_UNDEFINED_STATES = {"42P01", "42703", "3F000"}  # PostgreSQL's SQLSTATE: undefined table, column, invalid schema name


@dataclass(frozen=True, slots=True)
class FieldError:
    """`pointer`: a JSON pointer into the body, or `/query/NAME` or `/path/NAME` for a parameter."""

    pointer: str
    code: str
    detail: str


@dataclass
class Problem(Exception):
    """An endpoint raises this exception to respond with the problem. `more` holds additional members of the body."""

    kind: ProblemKind
    detail: str
    errors: Sequence[FieldError] = ()
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def body(self) -> dict[str, Any]:
        """The response's JSON object. Its `instance` contains the id of the request."""
        body: dict[str, Any] = {
            "type": f"/problems/{self.kind.code}",
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
            "instance": instance(),
            "code": self.kind.code,
            **self.more,
        }
        if self.errors:
            body["errors"] = self.errors[:ERRORS_MAX]
        return body

    def response(self) -> Response:
        return Response(to_json(self.body()), self.kind.status, dict(self.headers), MEDIA_TYPE)


def instance() -> str:
    """The URN of the present request, with the id of its `X-Request-Id`."""
    return f"urn:spreader:{current_request_id()}"


ProblemOf = Callable[[Request, Exception], Problem | None]
"""Returns the problem for an exception. None: the exception gets its usual problem."""


def not_found(what: str, name: str) -> Problem:
    return Problem(NOT_FOUND, f"There is no {what} {name[:64]!r}.")


def unavailable(detail: str) -> Problem:
    """A problem with status 503 and the header `Retry-After`."""
    return Problem(UNAVAILABLE, detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


def invalid(pointer: str, code: str, detail: str) -> Problem:
    """A problem with status 422, because of one field."""
    return Problem(INVALID, f"{pointer or 'the body'}: {detail}", [FieldError(pointer, code, detail)])


def install(
    app: FastAPI,
    kinds: Iterable[ProblemKind] = COMMON_KINDS,
    own: Mapping[type[Exception], ProblemOf] | None = None,
    count: Callable[[ProblemKind], None] = lambda kind: None,
) -> None:
    """Turn every exception of `app` into a problem, and describe each kind at `/problems/{code}`.

    `own` gives a function for a class of exceptions. This function may return another problem than the usual one.
    `count` is called once for each problem that is returned.
    """
    by_code = {kind.code: kind for kind in kinds}

    async def describe(code: str) -> Response:
        kind = by_code.get(code)
        if kind is None:
            raise not_found("problem", code)
        body = {"code": kind.code, "status": kind.status, "title": kind.title}
        return Response(to_json(body), media_type="application/json")

    def http_problem(request: Request, error: Exception) -> Problem:
        """The problem of an unknown route or method, or of a request that Starlette itself refused."""
        assert isinstance(error, HTTPException)
        kind = by_code.get(_CODES_OF_STATUS.get(error.status_code, "malformed"), MALFORMED)
        detail = f"The request cannot be read: {error.detail}."
        if kind in (NOT_FOUND, METHOD_NOT_ALLOWED):
            route = f"{request.method} {request.url.path}"
            detail = f"{route} is not part of this API; see /docs for the list of operations."
        allowed = _allowed_methods(request) if kind is METHOD_NOT_ALLOWED else ""
        return Problem(kind, detail, headers={"Allow": allowed} if allowed else error.headers or {})

    def handler(problem_of: ProblemOf) -> Callable[[Request, Exception], Any]:
        async def handle(request: Request, error: Exception) -> Response:
            problem = problem_of(request, error) or _usual_problem(request, error)
            count(problem.kind)
            response = problem.response()
            if problem.kind is INTERNAL:
                body = bytes(response.body).decode()
                log.error("request failed; replied 500", path=request.url.path, body=body, exc_info=error)
            return response

        return handle

    usual: dict[type[Exception], ProblemOf] = dict.fromkeys(
        (Problem, RequestValidationError, SQLAlchemyError, OSError, TimeoutError, Exception), _usual_problem
    )
    app.add_exception_handler(ClientDisconnect, _left)
    app.add_api_route("/problems/{code}", describe, include_in_schema=False)
    for exception, problem_of in {**usual, HTTPException: http_problem, **(own or {})}.items():
        app.add_exception_handler(exception, handler(problem_of))


async def _left(_: Request, __: Exception) -> Response:
    """The caller left while it sent the body, so it does not read this response. The service did not fail."""
    return Response(status_code=MALFORMED.status)


def _usual_problem(request: Request, error: Exception) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestValidationError):
        errors = [FieldError(_pointer(detail), detail["type"], detail["msg"]) for detail in error.errors()]
        return Problem(INVALID, f"{errors[0].pointer or 'the body'}: {errors[0].detail}", errors)
    if is_transient(error):
        return database_unavailable(request, error)
    if isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _UNDEFINED_STATES:
        log.warning("tables are not migrated yet; replied 503", path=request.url.path, error=str(error.orig))
        return unavailable("The service still creates its tables. Send the request again shortly.")
    return Problem(INTERNAL, "The request failed because of a defect of ours. The log has the cause under `instance`.")


def database_unavailable(request: Request, error: Exception) -> Problem:
    log.warning(
        "database does not respond; replied 503", path=request.url.path, error=f"{type(error).__name__}: {error}"
    )
    return unavailable("The database does not respond. Send the request again shortly.")


def _pointer(detail: Mapping[str, Any]) -> str:
    where, *inside = detail["loc"]
    if where != "body":
        return "/" + "/".join(map(str, (where, *inside)))
    return "" if detail["type"] == "json_invalid" else "".join(f"/{part}" for part in inside)


def _allowed_methods(request: Request) -> str:
    """All methods of the path. Empty if the path has no route. Starlette's own `Allow` would contain only the methods
    of one route."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    here = [route for route in routes if route.path_regex.match(request.url.path)]
    return ", ".join(sorted({method for route in here for method in route.methods or ()}))
