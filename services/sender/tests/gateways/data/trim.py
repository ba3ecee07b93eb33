"""python -m trim OPENAPI.yaml: writes cloud-api-messages.json, the schemas of the bodies that our driver sends.

Meta writes each kind of message as `allOf` of two parts, the second of which forbids the fields of the first. Taken
literally no body is valid; so the parts are merged into one object. `biz_opaque_callback_data` is described by Meta for
calls only (component `CallRequestPayload`) and works for messages too: its schema is taken over.
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

KINDS = ("TextMessage", "ImageMessage", "AudioMessage", "DocumentMessage", "VideoMessage", "TemplateMessage")
CALLBACK_DATA = {"type": "string", "maxLength": 512}
HERE = Path(__file__).parent


def resolved(node: Any, schemas: dict[str, Any]) -> Any:
    """The node with its references replaced by what they name, and without prose."""
    if isinstance(node, list):
        return [resolved(each, schemas) for each in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return resolved(schemas[node["$ref"].rpartition("/")[2]], schemas)
    # A property may be called `description`; as a key beside a type it is prose.
    prose = {"description", "example", "examples", "discriminator"} if "type" in node or "oneOf" in node else set()
    return {key: resolved(value, schemas) for key, value in node.items() if key not in prose}


def merged(schema: dict[str, Any]) -> dict[str, Any]:
    base, own = schema["allOf"]
    return {
        "type": "object",
        "properties": {**base["properties"], **own["properties"], "biz_opaque_callback_data": CALLBACK_DATA},
        "required": [*base["required"], *own["required"]],
        "additionalProperties": False,
    }


def main(path: str) -> None:
    schemas = yaml.load(Path(path).read_text(), Loader=yaml.CSafeLoader)["components"]["schemas"]
    kinds = {kind: merged(resolved(schemas[kind], schemas)) for kind in KINDS}
    by_type = {schema["properties"]["type"]["enum"][0]: schema for schema in kinds.values()}
    (HERE / "cloud-api-messages.json").write_text(json.dumps(by_type, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
