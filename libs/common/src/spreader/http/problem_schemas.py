"""Problem schemas: describe the problems of an HTTP API in its OpenAPI document, with the codes of each status."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter

from spreader.http.problems import ERRORS_MAX, MEDIA_TYPE, FieldError, ProblemKind

Schema = dict[str, Any]
Responses = dict[int | str, dict[str, Any]]

ALWAYS = (500, 503)
"""The statuses that every operation may return."""
_REFERENCE = "#/components/schemas/{model}"


def problem_answers(kinds: Iterable[ProblemKind], statuses: Iterable[int]) -> Responses:
    """The responses of an operation that may return problems with these statuses, and with those of ALWAYS."""
    by_status = _by_status(kinds)
    return {
        status: {
            "description": " · ".join(f"`{kind.code}`: {kind.title}" for kind in by_status[status]),
            "content": {MEDIA_TYPE: {"schema": {"$ref": _REFERENCE.format(model=_problem_name(status))}}},
        }
        for status in sorted({*statuses, *ALWAYS})
    }


def problem_schemas(kinds: Iterable[ProblemKind]) -> dict[str, Schema]:
    """The components to which `problem_answers` refers."""
    by_status = _by_status(kinds)
    schemas = {_problem_name(status): _problem_schema(status, each) for status, each in by_status.items()}
    inner = {
        name: schema
        for each in by_status.values()
        for kind in each
        for name, schema in _described(kind).get("$defs", {}).items()
    }
    return {"FieldError": _FIELD_ERROR, **inner, **schemas}


def _by_status(kinds: Iterable[ProblemKind]) -> Mapping[int, Sequence[ProblemKind]]:
    by_status: dict[int, list[ProblemKind]] = {}
    for kind in kinds:
        by_status.setdefault(kind.status, []).append(kind)
    return by_status


def _problem_name(status: int) -> str:
    return f"Problem{status}"


def _problem_schema(status: int, kinds: Sequence[ProblemKind]) -> Schema:
    more = {name: part for kind in kinds for name, part in _members(kind).items()}
    return {
        "type": "object",
        "description": "A problem in the form of RFC 9457.",
        "examples": [_problem_example(kind) for kind in kinds],
        "required": ["type", "title", "status", "detail", "instance", "code", *(more if len(kinds) == 1 else ())],
        "properties": {
            "type": {"type": "string", "format": "uri-reference"},
            "title": {"type": "string"},
            "status": {"type": "integer", "const": status},
            "detail": {"type": "string"},
            "instance": {"type": "string", "format": "uri-reference"},
            "code": {"type": "string", "enum": [kind.code for kind in kinds]},
            "errors": {
                "type": "array",
                "maxItems": ERRORS_MAX,
                "items": {"$ref": _REFERENCE.format(model="FieldError")},
            },
            **more,
        },
    }


def _members(kind: ProblemKind) -> Mapping[str, Schema]:
    """The members that only problems of this kind have."""
    return _described(kind).get("properties", {})


def _described(kind: ProblemKind) -> Schema:
    if kind.more is None:
        return {}
    return TypeAdapter[Any](kind.more).json_schema(mode="serialization", ref_template=_REFERENCE)


def _problem_example(kind: ProblemKind) -> dict[str, Any]:
    more = {name: schema["examples"][0] for name, schema in _members(kind).items()}
    return {
        "type": f"/problems/{kind.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": f"{kind.title}.",
        "instance": "urn:spreader:req_3c08u7j4800bgdm2i2i6fk70vc",
        "code": kind.code,
        **more,
    }


_FIELD_ERROR: Schema = {
    "type": "object",
    "required": list(FieldError.__dataclass_fields__),
    "properties": {
        "pointer": {"type": "string", "description": "JSON pointer to the field.", "examples": ["/recipients/3"]},
        "code": {"type": "string", "examples": ["phone_number"]},
        "detail": {"type": "string"},
    },
}
