"""OpenAPI: describes the bodies of an HTTP API by their shapes. A shape is any type that pydantic can describe, such as
a TypedDict or a dataclass.

FastAPI cannot derive the whole document, because endpoints read requests and build answers themselves. No answer is
validated when it is sent. The tests compare each answer with the document (`spreader.testing.conformance`).
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Annotated, Any, Generic, TypeVar, get_type_hints

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts
from pydantic import TypeAdapter, WithJsonSchema
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode
from typing_extensions import TypedDict

from spreader.http.problem_schemas import problem_schemas
from spreader.http.problems import MEDIA_TYPE, ProblemKind

T = TypeVar("T")
Schema = dict[str, Any]

_REFERENCE = "#/components/schemas/{model}"
_REFERRED = re.compile(r"^#/components/schemas/(.+)$")
JSON = "application/json"
_CONTROLS = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
_PATTERNS = {None: f"^[^{_CONTROLS}]*$", r"\S": rf"^[^{_CONTROLS}]*[^\s{_CONTROLS}][^{_CONTROLS}]*$"}
"""For each pattern of a text in a shape, the pattern that also forbids control characters. None: the text has no
pattern in its shape."""


TimeText = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
"""A time as RFC 3339 writes it."""


class PageBody(TypedDict, Generic[T]):
    """One page of a list."""

    data: list[T]
    next_cursor: str | None
    """The `cursor` of the next page; null on the last page."""


class ShapedBody(dict[str, Any]):
    """The description of a request body or of a response in OpenAPI's form, but without its schema. `install` adds the
    schema of the shape."""

    def __init__(
        self, shape: Any, mode: JsonSchemaMode, content: Mapping[str, Any], is_patch: bool = False, **more: Any
    ) -> None:
        super().__init__(content={JSON: dict(content)}, **more)
        self.shape = shape
        self.mode: JsonSchemaMode = mode
        self.is_patch = is_patch


def answer(shape: Any, example: Any, description: str = "Success.") -> dict[str, Any]:
    """The response with a JSON body of this shape."""
    return ShapedBody(shape, "serialization", {"example": example}, description=description)


def text_answer(example: str, media_type: str = "text/plain") -> dict[str, Any]:
    content = {media_type: {"schema": {"type": "string"}, "example": example}}
    return {"description": "Success.", "content": content}


def file_answer(media_types: Iterable[str]) -> dict[str, Any]:
    """The response with a file, in one of these types."""
    content = {each.split(";")[0]: {"schema": {"type": "string"}} for each in media_types}
    return {"description": "The file.", "content": content}


def form(shape: Any, examples: Mapping[str, Any], is_patch: bool = False) -> dict[str, Any]:
    """The request body of this shape, with named examples. `is_patch`: the body is a merge patch (RFC 7396), so each
    member may be left out."""
    named = {name: {"summary": name, "value": value} for name, value in examples.items()}
    return ShapedBody(shape, "validation", {"examples": named}, is_patch, required=True)


def derived(name: str, base: type, **more: Any) -> Any:
    """The shape of a dataclass or TypedDict, with more members."""
    return TypedDict(name, {**get_type_hints(base, include_extras=True), **more})  # pyright: ignore[reportArgumentType, reportGeneralTypeIssues]


def may_lack(*names: str) -> Callable[[Schema], None]:
    """For `json_schema_extra` of a model: an answer may lack these members. Without names, it may lack each member."""

    def change(schema: Schema) -> None:
        if names:
            schema["required"] = [name for name in schema.get("required", ()) if name not in names]
        else:
            schema.pop("required", None)

    return change


def install(
    app: FastAPI, kinds: Iterable[ProblemKind], title: str, security: Mapping[str, Any] | None = None, **metadata: Any
) -> None:
    """Let `app.openapi` return the document of the whole API. The first call makes the document.

    `kinds`: the problems of the API. `security`: the security schemes, if FastAPI does not know them. `metadata`:
    further arguments of FastAPI's `get_openapi`.
    """
    document: dict[str, Any] = {}
    problems = problem_schemas(kinds)

    def openapi() -> dict[str, Any]:
        if not document:
            document.update(get_openapi(title=title, version=app.version, routes=app.routes, **metadata))
            _complete(document, app, problems)
            if security is not None:
                document["components"]["securitySchemes"] = dict(security)
        return document

    app.openapi = openapi


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The path, the method in capital letters, and the description of each operation."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


class _Generator(GenerateJsonSchema):
    """An answer contains every member of its shape, also those that have a default."""

    def field_is_required(self, field: Any, total: bool) -> bool:
        if self.mode == "serialization" and field["type"] != "typed-dict-field":
            return True
        return super().field_is_required(field, total)


def _complete(document: dict[str, Any], app: FastAPI, problems: Mapping[str, Schema]) -> None:
    bodies = {(path, method, where): body for path, method, where, body in _shaped_bodies(app)}
    adapters = {body.shape: TypeAdapter[Any](body.shape) for body in bodies.values()}
    inputs: list[tuple[tuple[str, str, str], JsonSchemaMode, TypeAdapter[Any]]] = [
        (key, body.mode, adapters[body.shape]) for key, body in bodies.items()
    ]
    schemas, definitions = TypeAdapter.json_schemas(inputs, ref_template=_REFERENCE, schema_generator=_Generator)
    components = {**document.setdefault("components", {}).get("schemas", {}), **definitions.get("$defs", {})}
    components |= problems
    for (path, method, where), body in bodies.items():
        operation = document["paths"][path][method.lower()]
        place = operation if where == "requestBody" else operation["responses"]
        schema = schemas[(path, method, where), body.mode]
        if where == "requestBody":
            _add_what_all_bodies_obey(schema, components)
        if body.is_patch:
            schema = _patch(schema, components)
        # FastAPI leaves out each null of an example, so the example is set again.
        place[where] = {**body, "content": {JSON: {"schema": schema, **body["content"][JSON]}}}
    for _, _, operation in operations(document):
        if MEDIA_TYPE not in operation["responses"].get("422", {}).get("content", {}):
            operation["responses"].pop("422", None)  # the one of FastAPI, which this API does not return
    document["components"]["schemas"] = _referred(document["paths"], components)


def _shaped_bodies(app: FastAPI) -> Iterator[tuple[str, str, str, ShapedBody]]:
    for route in iter_route_contexts(app.routes):
        if not getattr(route, "include_in_schema", False) or not hasattr(route, "responses"):
            continue
        bodies = {str(status): body for status, body in route.responses.items()}
        bodies["requestBody"] = (route.openapi_extra or {}).get("requestBody")
        for method in route.methods or ():
            for where, body in bodies.items():
                if isinstance(body, ShapedBody):
                    yield route.path_format or "", method, where, body


def _add_what_all_bodies_obey(schema: Schema, components: Mapping[str, Any]) -> None:
    """Say of a request body that its objects have no more members, and its texts no control characters. The ingress
    refuses both at every depth."""
    for part in (schema, *(components[name] for name in _referred(schema, components))):
        if "properties" in part:
            part["additionalProperties"] = False
        for text in _texts(part):
            text["pattern"] = _PATTERNS.get(text.get("pattern"), text.get("pattern"))


def _texts(node: Any) -> Iterator[Schema]:
    """The schemas of free texts inside a schema."""
    if isinstance(node, dict):
        if node.get("type") == "string" and not {"format", "enum", "const"} & node.keys():
            yield node
        node = list(node.values())
    if isinstance(node, list):
        for part in node:
            yield from _texts(part)


def _patch(schema: Schema, components: Mapping[str, Any]) -> Schema:
    """The schema of a merge patch: without required members, also in the objects inside."""
    match = _REFERRED.match(schema.get("$ref", ""))
    if match is not None:
        schema = {**components[match[1]], **schema}
    changed = {name: value for name, value in schema.items() if name not in ("$ref", "required", "default", "oneOf")}
    if "properties" in schema:
        changed["properties"] = {name: _patch(part, components) for name, part in schema["properties"].items()}
    if "anyOf" in schema:
        changed["anyOf"] = [_patch(part, components) for part in schema["anyOf"]]
    return changed


def _referred(node: Any, components: Mapping[str, Any]) -> dict[str, Any]:
    """The components that this part of the document refers to, directly or through others."""
    found: set[str] = set()
    waiting = list(_references(node))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _references(components[name])
    return {name: components[name] for name in sorted(found)}


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        match = _REFERRED.match(reference) if isinstance(reference := node.get("$ref"), str) else None
        if match is not None:
            yield match[1]
        node = list(node.values())
    if isinstance(node, list):
        for part in node:
            yield from _references(part)
