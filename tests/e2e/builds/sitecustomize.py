"""Newer build: Python runs this file when a process of a black-box test starts.

If a file `$TEST_BUILDS/<service>` exists, the process is a newer build of its service. Every event that it publishes
has an unknown field in each object: `later_1`. The number in the file is read for each event: with 2 there is also
`later_2`, as if an even newer build had taken its place.
"""

import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Any


def build_file() -> Path | None:
    """None: the process is the build as it is."""
    folder, arguments = os.environ.get("TEST_BUILDS"), sys.orig_argv
    if folder is None or "-m" not in arguments:
        return None
    file = Path(folder) / arguments[arguments.index("-m") + 1]
    return file if file.exists() else None


def publish_unknown_fields(build: Path) -> None:
    from dataclasses import replace

    from pydantic import BaseModel

    from spreader.contract.events import Event
    from spreader.kafka import envelope
    from spreader.kafka.envelope import Envelope

    encode = envelope.encode

    def widened(value: Any, body: Any, unknown: dict[str, Any]) -> Any:
        """`body`, the JSON of `value`, with the unknown fields in each object that a model reads."""
        if isinstance(value, BaseModel):
            known = {name: widened(getattr(value, name, None), part, unknown) for name, part in body.items()}
            return {**unknown, **known}
        if isinstance(value, tuple) and isinstance(body, list):
            return [widened(item, part, unknown) for item, part in zip(value, body, strict=True)]
        return body

    def newer(event: Event, source: str, now: datetime) -> Envelope:
        record, generation = encode(event, source, now), int(build.read_text())
        unknown = {f"later_{each}": {"since": each, "names": [None, "x"]} for each in range(1, generation + 1)}
        return replace(record, body=json.dumps(widened(event, json.loads(record.body or b"{}"), unknown)).encode())

    envelope.encode = newer


if build := build_file():
    publish_unknown_fields(build)
