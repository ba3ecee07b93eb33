"""OpenAPI: how the API describes itself. Bodies are read by hand (`bodies`), so routes say here what they take."""

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
    "Sends WhatsApp messages over many accounts: open chat is paced and limited, replies go out at once.\n\n"
    "Every failure is an `application/problem+json` (RFC 9457) with a `code` and, for fields, JSON pointers."
)
TAGS = [
    {"name": "packages", "description": "Groups of profiles that share settings."},
    {"name": "profiles", "description": "WhatsApp accounts, each in one package."},
    {"name": "messages", "description": "What is sent, and what became of it."},
    {"name": "media", "description": "Files that messages carry."},
    {"name": "consent", "description": "Who must not be written to, and who asked to be."},
    {"name": "webhooks", "description": "Where gateways report. Not behind the API key."},
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
    "description": "Makes a repeat of this request the same message. Kept for 72 hours; after that it is a new key.",
}
_PREFER = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "`respond-async`: answer as soon as the message is accepted.",
}


class Direct(APIRoute):
    """A route on the accept path: what FastAPI would do before and after the endpoint, it does not need."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        async def handle(request: Request) -> Response:
            return await self.endpoint(request=request, **request.path_params)

        return handle


def describe(
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
    answer: dict[str, Any] | None = None,
    problems: Sequence[int] = (),
    idempotent: bool = False,
    secured: bool = True,
    direct: bool = False,
) -> None:
    """Add a route with all that the document says about it; `name` is its operationId."""
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
        responses={status: _success(status, answer), **_problem_responses((401, *problems) if secured else problems)},
        openapi_extra=extra,
        route_class_override=Direct if direct else None,
    )


def install(app: FastAPI, servers: Sequence[dict[str, str]] = ()) -> None:
    """Complete the generated document with what routes reference."""
    document: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not document:
            document.update(
                get_openapi(
                    title=TITLE, version=app.version, description=DESCRIPTION, tags=TAGS, routes=app.routes,
                    servers=list(servers) or None,
                )
            )  # fmt: skip
            _complete(document)
        return document

    app.openapi = openapi


def _request_body(body: Any, examples: dict[str, dict[str, Any]]) -> dict[str, Any]:
    schema = TypeAdapter(body).json_schema(ref_template=_REFERENCE)
    named = {name: {"summary": name, "value": value} for name, value in examples.items()}
    return {"required": True, "content": {"application/json": {"schema": schema, "examples": named}}}


def _success(status: int, answer: dict[str, Any] | None) -> dict[str, Any]:
    if status == 204:
        return {"description": "Done; there is nothing to say."}
    schema: dict[str, Any] = {"type": "object"}
    content = {"schema": schema} if answer is None else {"schema": schema, "example": answer}
    return {"description": "As asked.", "content": {"application/json": content}}


def _problem_responses(statuses: Sequence[int]) -> dict[int | str, dict[str, Any]]:
    return {
        status: {"description": _kinds_text(status), "content": {MEDIA_TYPE: {"schema": _PROBLEM}}}
        for status in (*statuses, 500)
    }


def _kinds_text(status: int) -> str:
    return " · ".join(f"`{kind.code}`: {kind.title}" for kind in KINDS.values() if kind.status == status)


def _complete(document: dict[str, Any]) -> None:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for path in document["paths"].values():
        for operation in path.values():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if content is not None:
                schemas.update(content["schema"].pop("$defs", {}))
            operation["responses"].pop("422", None) if not _is_ours(operation["responses"].get("422", {})) else None
    schemas["Problem"] = _PROBLEM_SCHEMA
    schemas["FieldError"] = _FIELD_ERROR_SCHEMA
    document["components"]["securitySchemes"] = {"apiKey": {"type": "http", "scheme": "bearer"}}


def _is_ours(response: dict[str, Any]) -> bool:
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
