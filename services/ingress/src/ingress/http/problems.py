"""Problem: what a caller did not get, and why, in the form of RFC 9457."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import ValidationError
from pydantic_core import ErrorDetails, to_json
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.routing import Route

from ingress.metrics import PROBLEMS
from spreader.clock import wall_now
from spreader.contract.ids import new_id
from spreader.kafka.bus import PublishFailed
from spreader.runtime.postgres import is_transient
from spreader.telemetry.metrics import from_zero

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"
ERRORS_MAX = 50
RETRY_AFTER_SECONDS = 2

KINDS: Mapping[str, tuple[int, str]] = {
    "malformed": (400, "The body is not JSON"),
    "cursor": (400, "The cursor cannot be used here"),
    "idempotency-key": (400, "The Idempotency-Key cannot be used"),
    "unauthorized": (401, "The API key is missing or wrong"),
    "signature": (401, "The call does not prove that it comes from the gateway"),
    "verify-token": (403, "The verify token is wrong"),
    "not-found": (404, "There is no such thing"),
    "method": (405, "This address does not take this method"),
    "taken": (409, "The name is taken"),
    "no-profile": (409, "No profile can send this"),
    "not-cancellable": (409, "The message cannot be taken back"),
    "in-progress": (409, "The same request is being worked on"),
    "not-undoable": (409, "The change cannot be taken back"),
    "reply-not-sent": (409, "The reply was not sent"),
    "too-large": (413, "The body is too large"),
    "invalid": (422, "Fields of the request are not valid"),
    "key-reused": (422, "The Idempotency-Key was used for another request"),
    "internal": (500, "Something went wrong on our side"),
    "gateway": (502, "The gateway did not take the message"),
    "secret-keys": (503, "The system has no key for credentials"),
    "unavailable": (503, "A server that is needed is away"),
}
"""Every kind: its status and title. The kind is the `code` of a problem, and ends its `type`."""

from_zero(PROBLEMS, KINDS)

_KIND_OF_STATUS: Mapping[int, str] = {404: "not-found", 405: "method", 413: "too-large"}
_UNDEFINED = {"42P01", "3F000"}  # Postgres: no such table, no such schema
_TAG_ERRORS = {"union_tag_invalid", "union_tag_not_found"}


@dataclass(frozen=True, slots=True)
class FieldError:
    pointer: str
    code: str
    detail: str


@dataclass
class Problem(Exception):
    """Raised by an endpoint: the answer is this problem instead."""

    code: str
    detail: str
    errors: Sequence[FieldError] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> int:
        return KINDS[self.code][0]

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "type": f"/problems/{self.code}",
            "title": KINDS[self.code][1],
            "status": self.status,
            "detail": self.detail,
            "instance": f"urn:spreader:{new_id('req', wall_now())}",
            "code": self.code,
            **self.more,
        }
        if self.errors:
            body["errors"] = self.errors[:ERRORS_MAX]
        return body

    def response(self) -> Response:
        PROBLEMS.labels(self.code).inc()
        return Response(to_json(self.body()), self.status, dict(self.headers), MEDIA_TYPE)


def not_found(what: str, name: str) -> Problem:
    return Problem("not-found", f"There is no {what} {name[:64]!r}.")


def unavailable(detail: str) -> Problem:
    return Problem("unavailable", detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


def invalid(pointer: str, code: str, detail: str) -> Problem:
    return Problem("invalid", f"{pointer}: {detail}", [FieldError(pointer, code, detail)])


def is_malformed(error: ValidationError) -> bool:
    return error.errors(include_url=False, include_input=False)[0]["type"] == "json_invalid"


def of_fields(error: ValidationError, tagged: bool) -> Problem:
    """The fields that pydantic refuses. `tagged`: the form is a union, its places begin with the chosen kind."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    shown = [_field_error(each, tagged) for each in found[: ERRORS_MAX + 1]]
    parents = {each.pointer.rsplit("/", 1)[0] for each in shown}
    kept = [each for each in shown if not (each.code == "too_short" and each.pointer in parents)][:ERRORS_MAX]
    first = f"{kept[0].pointer or 'the body'}: {kept[0].detail}"
    detail = first if len(found) == 1 else f"{first} (and {len(found) - 1} more)"
    return Problem("invalid", detail, kept)


def _field_error(error: ErrorDetails, tagged: bool) -> FieldError:
    kind, place = error["type"], error["loc"]
    if kind in _TAG_ERRORS:
        return FieldError("/type", "unknown_type", "say one of text, image, voice, document, video, template")
    pointer = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in place[1 if tagged else 0 :])
    if kind == "string_pattern_mismatch" and pointer.startswith(("/recipient", "/phone", "/from")):
        return FieldError(
            pointer, "phone_number", "a phone number is 7 to 15 digits in international form, without + or spaces"
        )
    if kind == "string_pattern_mismatch" and pointer == "/text":
        return FieldError(pointer, "blank", "the text is empty")
    return FieldError(pointer, kind, error["msg"].removeprefix("Value error, "))


def install(app: FastAPI) -> None:
    """Give every failure of `app` this one form, and every `type` an address that answers."""
    app.add_api_route("/problems/{code}", _explain, include_in_schema=False)
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_parameters)
    for passing in (SQLAlchemyError, OSError, TimeoutError, PublishFailed):
        app.add_exception_handler(passing, _on_server)
    app.add_exception_handler(Exception, _on_bug)


async def _explain(code: str) -> Response:
    if code not in KINDS:
        raise not_found("problem", code)
    status, title = KINDS[code]
    return Response(to_json({"code": code, "status": status, "title": title}), media_type="application/json")


async def _on_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = _KIND_OF_STATUS.get(error.status_code, "malformed")
    detail = f"{request.method} {request.url.path} is not part of this API; /docs lists what is."
    headers = {"Allow": _allowed(request)} if error.status_code == 405 else error.headers or {}
    return Problem(code, detail, headers=headers).response()


def _allowed(request: Request) -> str:
    """Every method of the address; Starlette names those of one route only."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    here = [route for route in routes if route.path_regex.match(request.url.path)]
    return ", ".join(sorted({method for route in here for method in route.methods or ()}))


async def _on_parameters(request: Request, error: Exception) -> Response:
    """Only paths and queries come here; a path with an id that cannot be an id names nothing."""
    assert isinstance(error, RequestValidationError)
    places = [FieldError("/" + "/".join(map(str, each["loc"])), each["type"], each["msg"]) for each in error.errors()]
    if any(each.pointer.startswith("/path/") for each in places):
        return not_found("thing at", request.url.path).response()
    return Problem("invalid", f"{places[0].pointer}: {places[0].detail}", places).response()


async def _on_server(request: Request, error: Exception) -> Response:
    if isinstance(error, PublishFailed):
        return unavailable(
            "Kafka did not acknowledge the message in time. Send it again with the same Idempotency-Key: "
            "Kafka may have it all the same, and without a key a repeat is a second message."
        ).response()
    if not is_transient(error) and not _is_before_migration(error):
        return await _on_bug(request, error)
    log.warning("the database is away", path=request.url.path, error=f"{type(error).__name__}: {error}")
    return unavailable("The database does not answer. Send the request again in a moment.").response()


def _is_before_migration(error: Exception) -> bool:
    """Whether a table is not there yet: a request that came in the first second of a new system."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _UNDEFINED


async def _on_bug(request: Request, error: Exception) -> Response:
    problem = Problem("internal", "The request could not be worked on. The log has the cause under this instance.")
    response = problem.response()
    log.error("a request failed", path=request.url.path, body=bytes(response.body).decode(), exc_info=error)
    return response
