"""OpenAPI: adds routes with their documentation. FastAPI cannot derive the documentation, because the endpoints read
the request bodies themselves."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from ingress.http.problems import KINDS
from spreader.http.problems import MEDIA_TYPE

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
    {"name": "webhooks", "description": "Gateways report here. The calls need no API key; they are verified."},
]
_REFERENCE = "#/components/schemas/{model}"
_PROBLEM = {"$ref": "#/components/schemas/Problem"}
_TEXT = {"type": "string"}
_BYTES = {"type": "string", "format": "binary"}
_FILE_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {"schema": {"type": "object", "required": ["file"], "properties": {"file": _BYTES}}},
        "application/octet-stream": {"schema": _BYTES},
    },
}
_IDEMPOTENCY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "A repeat with the same key sends no second message and gets the first response, for 72 hours.",
}
_PREFER = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "`respond-async`: respond as soon as the message is accepted.",
}


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
    csv: str | None = None,
    file: bool = False,
    example: dict[str, Any] | None = None,
    examples: dict[str, dict[str, Any]] | None = None,
    response: dict[str, Any] | None = None,
    problems: Sequence[int] = (),
    idempotent: bool = False,
    secured: bool = True,
    direct: bool = False,
) -> None:
    """Add a route with its documentation.

    `name`: the operationId. `problems`: the statuses of problems, besides 401 (if `secured`) and 500.

    At most one of `body`, `csv` and `file` describes the request body. `body` is its form, with `example` or the named
    `examples`. `csv` is an example of a CSV file. `file` means an upload. `response` is an example of the response
    body.

    `idempotent`: the endpoint takes an Idempotency-Key. `secured`: a request needs the API key. `direct`: see
    `DirectRoute`.
    """
    extra: dict[str, Any] = {"security": [{"apiKey": []}] if secured else []}
    if body is not None:
        extra["requestBody"] = _request_body(body, examples or {"example": example or {}})
    if csv is not None:
        extra["requestBody"] = {"required": True, "content": {"text/csv": {"schema": _TEXT, "example": csv}}}
    if file:
        extra["requestBody"] = _FILE_BODY
    if idempotent:
        extra["parameters"] = [_IDEMPOTENCY, _PREFER]
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
        responses={status: _success(status, response), **_problem_responses((401, *problems) if secured else problems)},
        openapi_extra=extra,
        route_class_override=DirectRoute if direct else None,
    )


def install(app: FastAPI, servers: Sequence[dict[str, str]] = ()) -> None:
    """Let `app.openapi` return the generated document, completed with the schemas that routes refer to."""
    document: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not document:
            document.update(
                get_openapi(
                    title=TITLE,
                    version=app.version,
                    description=DESCRIPTION,
                    tags=TAGS,
                    routes=app.routes,
                    servers=list(servers) or None,
                )
            )
            _complete(document)
        return document

    app.openapi = openapi


def _request_body(body: Any, examples: dict[str, dict[str, Any]]) -> dict[str, Any]:
    schema = TypeAdapter(body).json_schema(ref_template=_REFERENCE)
    for part in (schema, *schema.get("$defs", {}).values()):
        if "properties" in part:  # `request_body.try_parse` rejects unknown fields at every depth
            part["additionalProperties"] = False
    named = {name: {"summary": name, "value": value} for name, value in examples.items()}
    return {"required": True, "content": {"application/json": {"schema": schema, "examples": named}}}


def _success(status: int, example: dict[str, Any] | None) -> dict[str, Any]:
    if status == 204:
        return {"description": "Success, without a body."}
    schema: dict[str, Any] = {"type": "object"}
    content = {"schema": schema} if example is None else {"schema": schema, "example": example}
    return {"description": "Success.", "content": {"application/json": content}}


def _problem_responses(statuses: Sequence[int]) -> dict[int | str, dict[str, Any]]:
    return {
        status: {"description": _kinds_text(status), "content": {MEDIA_TYPE: {"schema": _PROBLEM}}}
        for status in (*statuses, 500)
    }


def _kinds_text(status: int) -> str:
    return " · ".join(f"`{kind.code}`: {kind.title}" for kind in KINDS.values() if kind.status == status)


def _complete(document: dict[str, Any]) -> None:
    """Move the schemas of forms to the components, add the schemas of problems, and remove the 422 that FastAPI
    adds."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for path in document["paths"].values():
        for operation in path.values():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if content is not None:
                schemas.update(content["schema"].pop("$defs", {}))
            if not _is_problem(operation["responses"].get("422", {})):
                operation["responses"].pop("422", None)
    schemas["Problem"] = _PROBLEM_SCHEMA
    schemas["FieldError"] = _FIELD_ERROR_SCHEMA
    document["components"]["securitySchemes"] = {"apiKey": {"type": "http", "scheme": "bearer"}}


def _is_problem(response: dict[str, Any]) -> bool:
    return MEDIA_TYPE in response.get("content", {})


_FIELD_ERROR_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["pointer", "code", "detail"],
    "properties": {
        "pointer": {"type": "string", "description": "JSON pointer to the field.", "examples": ["/recipients/3"]},
        "code": {"type": "string", "examples": ["phone_number"]},
        "detail": {"type": "string"},
    },
}
_PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "examples": ["/problems/invalid"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "format": "uri-reference"},
        "code": {"type": "string", "enum": list(KINDS)},
        "errors": {"type": "array", "maxItems": 50, "items": {"$ref": "#/components/schemas/FieldError"}},
    },
}
