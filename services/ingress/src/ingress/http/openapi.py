"""OpenAPI: adds routes with their documentation. FastAPI cannot derive the documentation, because the endpoints read
the request bodies themselves."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.routing import APIRoute

from ingress.http.problems import KINDS
from spreader.http import openapi
from spreader.http.openapi import answer, form
from spreader.http.problem_schemas import problem_answers

TITLE = "Spreader"
DESCRIPTION = (
    "Sends WhatsApp messages through many accounts: open messages are paced and limited, replies are sent at once.\n\n"
    "Every failure is an `application/problem+json` (RFC 9457) with a `code` and, for fields, JSON pointers."
)
TAGS = [
    {"name": "packages", "description": "Groups of profiles that share settings."},
    {"name": "profiles", "description": "WhatsApp accounts, each in one package."},
    {"name": "messages", "description": "Messages, their deliveries and conversations."},
    {"name": "media", "description": "Files that messages carry."},
    {"name": "consent", "description": "Suppressions and opt-ins."},
    {"name": "privacy", "description": "What is known about a person, and its erasure."},
    {"name": "webhooks", "description": "Gateways report here. The calls need no API key; they are verified."},
]
SECURITY = {"apiKey": {"type": "http", "scheme": "bearer"}}
_TEXT = {"type": "string"}
_BYTES = {"type": "string", "format": "binary"}
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_FILE_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {"schema": {"type": "object", "required": ["file"], "properties": {"file": _BYTES}}},
        "application/octet-stream": {"schema": _BYTES},
    },
}
_NO_BODY = {"description": "Success, without a body."}
_IDEMPOTENCY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
    "description": "A repeat with the same key sends no second message and gets the first response, for 72 hours.",
}
_PREFER = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "`respond-async`: respond as soon as the message is accepted.",
}
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "The `ETag` that you have read. If somebody has changed it since, the answer is 412.",
}


class Endpoint(Protocol):
    def routes(self) -> APIRouter: ...


class DirectRoute(APIRoute):
    """A route on which speed matters, such as the routes that accept messages. It calls its endpoint directly, so
    FastAPI validates neither parameters nor response."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        async def handle(request: Request) -> Response:
            return await self.endpoint(request=request, **request.path_params)

        return handle


def add_route(
    router: APIRouter,
    method: str,
    path: str,
    endpoint: Callable[..., Any],
    name: str,
    summary: str,
    *,
    status: int = 200,
    body: Any = None,
    patch: bool = False,
    csv: str | None = None,
    file: bool = False,
    example: dict[str, Any] | None = None,
    examples: dict[str, dict[str, Any]] | None = None,
    shape: Any = dict[str, Any],
    response: dict[str, Any] | None = None,
    responses: Mapping[int, dict[str, Any]] = {},
    problems: Sequence[int] = (),
    idempotent: bool = False,
    secured: bool = True,
    direct: bool = False,
) -> None:
    """Add a route with its documentation.

    `name`: the operationId. `problems`: the statuses of problems. 500, 503 and, if `secured`, 401 are always included.

    At most one of `body`, `csv` and `file` describes the request body. `body` is the form of a JSON body, with one
    `example` or with several named `examples`. `patch`: the JSON body is a merge patch of this form. `csv` is an
    example of a CSV file with a list. An XLSX file is then allowed too. `file`: the request body is an uploaded file.

    `shape` is the type of the response body (see `spreader.http.openapi`), and `response` is an example of the body. A
    response with status 204 has no body. `responses` describes successes with other statuses, or without JSON.

    `idempotent`: the endpoint takes an Idempotency-Key. `secured`: a request needs the API key. `direct`: see
    `DirectRoute`.
    """
    described = None if body is None else form(body, examples or {"example": example or {}}, patch)
    router.add_api_route(
        path,
        endpoint,
        methods=[method],
        name=name,
        operation_id=name,
        summary=summary,
        status_code=status,
        response_class=Response,
        response_model=None,
        responses={
            status: _NO_BODY if status == 204 else answer(shape, response),
            **responses,
            **problem_answers(KINDS.values(), (401, *problems) if secured else problems),
        },
        openapi_extra={
            "security": [{"apiKey": []}] if secured else [],
            **_request_body(described, csv, file),
            **_header_parameters(idempotent, 412 in problems),
        },
        route_class_override=DirectRoute if direct else None,
    )


def _request_body(described: dict[str, Any] | None, csv: str | None, file: bool) -> dict[str, Any]:
    if csv is not None:
        content = {"text/csv": {"schema": _TEXT, "example": csv}, _XLSX: {"schema": _BYTES}}
        return {"requestBody": {"required": True, "content": content}}
    if file:
        return {"requestBody": _FILE_BODY}
    return {} if described is None else {"requestBody": described}


def _header_parameters(idempotent: bool, conditional: bool) -> dict[str, Any]:
    parameters = [*((_IDEMPOTENCY, _PREFER) if idempotent else ()), *((_IF_MATCH,) if conditional else ())]
    return {"parameters": parameters} if parameters else {}


def install(app: FastAPI) -> None:
    """Let `app.openapi` return the document of the API."""
    openapi.install(app, KINDS.values(), TITLE, SECURITY, description=DESCRIPTION, tags=TAGS)
