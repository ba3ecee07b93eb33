"""CRDs: strict JSON schemas of the operators' resources.

`data/crds.json` has only the fields that our manifests use. When they use another field, cut the fixture again from the
CRDs of the operators: `python tests/k8s/cut.py FOLDER`. A field that an operator does not know is missing there too.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

FIXTURE = Path(__file__).parent / "data/crds.json"
Schema = Mapping[str, Any]
Manifest = Mapping[str, Any]


def known_kinds() -> dict[str, Schema]:
    """The schemas of the fixture, by `apiVersion/kind`."""
    return json.loads(FIXTURE.read_text())


def faults(manifest: Manifest, schema: Schema) -> Iterator[str]:
    """What an API server would refuse: unknown fields, missing fields and wrong values."""
    for error in Draft202012Validator(strict(schema)).iter_errors(manifest):
        yield f"{kind_of(manifest)} {manifest['metadata']['name']}: {error.json_path}: {error.message}"


def kind_of(manifest: Manifest) -> str:
    return f"{manifest['apiVersion']}/{manifest['kind']}"


def strict(schema: Schema) -> Schema:
    """The schema of a CRD as JSON Schema that refuses unknown fields."""
    root = {**schema["properties"], "apiVersion": {"type": "string"}, "kind": {"type": "string"}}
    return {**_strict({**schema, "properties": root}), "properties": {**_parts(root), "metadata": _METADATA}}


def _strict(schema: Schema) -> Schema:
    found = {name: value for name, value in schema.items() if name in _KEPT}
    if schema.get("x-kubernetes-int-or-string"):
        return {**{name: value for name, value in found.items() if name != "type"}, "type": ["integer", "string"]}
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return found
    if isinstance(schema.get("additionalProperties"), Mapping):
        found["additionalProperties"] = _strict(schema["additionalProperties"])
    elif schema.get("type") == "object":
        found["properties"] = _parts(schema.get("properties", {}))
        found["additionalProperties"] = False
    if "items" in schema:
        found["items"] = _strict(schema["items"])
    if schema.get("nullable") and "type" in found:
        found["type"] = [found["type"], "null"]
    return found


def _parts(properties: Mapping[str, Schema]) -> dict[str, Schema]:
    return {name: _strict(part) for name, part in properties.items()}


_KEPT = {
    "type", "required", "enum", "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems",
    "minProperties", "maxProperties", "uniqueItems", "multipleOf", "anyOf", "oneOf", "allOf", "not",
}  # fmt: skip
"""What both kinds of schema mean in the same way."""
_NAMES = {"type": "object", "additionalProperties": {"type": "string"}}
_METADATA: Schema = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "pattern": r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", "maxLength": 253},
        "namespace": {"type": "string"},
        "labels": _NAMES,
        "annotations": _NAMES,
    },
    "additionalProperties": False,
}
