"""Cutter: `python tests/k8s/cut.py FOLDER` cuts the fixture of CRDs from the operators' own files in a folder."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from k8s.crds import FIXTURE, Schema, kind_of
from k8s.overlays import OVERLAYS, rendered

_DROPPED = {"description", "example", "examples", "x-kubernetes-validations", "x-kubernetes-list-type", "default"}


def main(folder: Path) -> None:
    used: dict[str, list[Any]] = {}
    for overlay in OVERLAYS:
        for manifest in rendered(overlay):
            used.setdefault(kind_of(manifest), []).append(manifest)
    found: dict[str, Schema] = {}
    for file in sorted(folder.glob("*.yaml")):
        definition = yaml.safe_load(file.read_text())["spec"]
        for version in definition["versions"]:
            kind = f"{definition['group']}/{version['name']}/{definition['names']['kind']}"
            if kind in used:
                found[kind] = cut(version["schema"]["openAPIV3Schema"], used[kind])
    FIXTURE.write_text(json.dumps(found, indent=1) + "\n")


def cut(schema: Schema, values: Sequence[Any]) -> dict[str, Any]:
    """The schema without the properties that none of the values has."""
    kept = {name: value for name, value in schema.items() if name not in _DROPPED}
    if "properties" in schema:
        named = {name for value in values if isinstance(value, Mapping) for name in value}
        kept["properties"] = {
            name: cut(part, [value[name] for value in values if isinstance(value, Mapping) and name in value])
            for name, part in schema["properties"].items()
            if name in named | {*schema.get("required", ())}
        }
    if "items" in schema:
        kept["items"] = cut(schema["items"], [each for value in values if isinstance(value, list) for each in value])
    if isinstance(schema.get("additionalProperties"), Mapping):
        each = [part for value in values if isinstance(value, Mapping) for part in value.values()]
        kept["additionalProperties"] = cut(schema["additionalProperties"], each)
    return kept


if __name__ == "__main__":
    main(Path(sys.argv[1]))
