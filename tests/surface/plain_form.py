"""Plain form: a value or schema as JSON without names of classes or modules and without prose."""

import dataclasses
import json
import re
from collections.abc import Mapping, Set
from datetime import date, time, timedelta, tzinfo
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import BaseModel

PROSE = frozenset({"title", "description", "summary", "externalDocs"})
NAMED = frozenset(
    {
        "callbacks",
        "channels",
        "content",
        "encoding",
        "headers",
        "links",
        "messages",
        "operations",
        "paths",
        "patternProperties",
        "properties",
        "responses",
        "securitySchemes",
        "variables",
    }
)
"""The keys inside these are names, not keywords, even if a name is `title`."""
VERBATIM = frozenset({"bindings", "const", "default", "enum", "example", "value"})

LIKE_A_SCHEMA = frozenset({"$ref", "anyOf", "properties", "schema", "type"})


def text_of(value: Any) -> str:
    """The canonical JSON text of a plain value."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def plain_schema(node: Any, document: Mapping[str, Any], above: tuple[str, ...] = ()) -> Any:
    """Replaces every `$ref` by its target. A recursive one becomes the number of references that it leads up."""
    if isinstance(node, list):
        return [plain_schema(each, document, above) for each in node]
    if not isinstance(node, dict):
        return node
    ref = node.get("$ref")
    if not isinstance(ref, str):
        return {key: _plain_keyword(key, node[key], document, above) for key in node if key not in PROSE}
    if ref in above:
        return {"$up": len(above) - above.index(ref)}
    beside = {key: value for key, value in node.items() if key != "$ref"}
    return {
        **plain_schema(resolved(ref, document), document, (*above, ref)),
        **plain_schema(beside, document, above),
    }


def resolved(ref: str, document: Mapping[str, Any]) -> Any:
    found: Any = document
    for part in ref.removeprefix("#/").split("/"):
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return found


def _plain_keyword(key: str, value: Any, document: Mapping[str, Any], above: tuple[str, ...]) -> Any:
    if key in VERBATIM:
        return value
    if key == "required" and isinstance(value, list):
        return sorted(value)
    if key == "discriminator" and isinstance(value, dict):
        return {"by": value.get("propertyName"), "values": sorted(value.get("mapping", ()))}
    if key == "examples":
        return value if isinstance(value, list) else {name: each.get("value") for name, each in value.items()}
    if key in NAMED and isinstance(value, dict):
        return {name: plain_schema(each, document, above) for name, each in value.items()}
    return plain_schema(value, document, above)


def plain_value(value: Any, tree: Path) -> Any:
    """Dataclasses become their values, event classes their type on the wire, other objects a placeholder."""
    if value is None or isinstance(value, bool | int | float):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, str):
        return "<ref>" if value.startswith("#/") else str(value).replace(str(tree), "TREE")
    if isinstance(value, type):
        wire = getattr(value, "type", None)
        return wire if isinstance(wire, str) else "<class>"
    if isinstance(value, Mapping):
        prose = PROSE if LIKE_A_SCHEMA & set(value) else ()
        kept = ((key, each) for key, each in value.items() if not (key in prose and isinstance(each, str)))
        return {"table": [[plain_value(key, tree), plain_value(each, tree)] for key, each in kept]}
    if isinstance(value, Set):
        return {"set": sorted((plain_value(each, tree) for each in value), key=text_of)}
    if isinstance(value, tuple | list | range):
        return [plain_value(each, tree) for each in value]
    if dataclasses.is_dataclass(value):
        return [plain_value(getattr(value, field.name), tree) for field in dataclasses.fields(value)]
    return _plain_object(value, tree)


def _plain_object(value: Any, tree: Path) -> Any:
    match value:
        case Enum():
            return plain_value(value.value, tree)
        case timedelta():
            return f"{value.total_seconds()} s"
        case date() | time() | tzinfo():
            return str(value)
        case Path():
            return str(value).replace(str(tree), "TREE")
        case re.Pattern():
            return f"/{value.pattern}/{value.flags}"
        case BaseModel():
            return value.model_dump(mode="json")
        case bytes():
            return value.hex()
        case _:
            return "<object>"
