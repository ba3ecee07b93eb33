"""View: the log lines of all programs in one readable output."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TextIO

from spreader.clock import wall_now

NAME_WIDTH = 9
LINE_MAX = 2_000
_LEVELS = {"debug": "2", "info": "", "warning": "33", "error": "31", "critical": "31;1"}
_COLOURS = ("36", "32", "35", "34", "96", "92", "95", "94")
_SHOWN_FIRST = frozenset({"event", "level", "timestamp", "logger", "exception"})


@dataclass(frozen=True, slots=True)
class View:
    """`coloured`: whether to colour the output, as for a terminal."""

    output: TextIO
    coloured: bool

    @classmethod
    def of_this_process(cls) -> "View":
        return cls(sys.stdout, sys.stdout.isatty())

    def log(self, text: str, *, name: str = "spreader", level: str = "info") -> None:
        self.show(name, json.dumps({"event": text, "level": level, "timestamp": wall_now().isoformat()}))

    def show(self, name: str, line: str) -> None:
        print(render(name, line, coloured=self.coloured), file=self.output, flush=True)

    def print(self, text: str) -> None:
        print(text, file=self.output, flush=True)


def render(name: str, line: str, *, coloured: bool) -> str:
    """The line with the program's name before it. A JSON log line is shown as its time, level, event and fields. Other
    lines stay unchanged."""
    record = _record(line)
    if record is None:
        return f"{_paint(name.ljust(NAME_WIDTH), _colour(name), coloured)} {line[:LINE_MAX]}"
    level = str(record.get("level", "info")).lower()
    time = str(record.get("timestamp", ""))[11:23]
    fields = " ".join(f"{key}={_text(value)}" for key, value in record.items() if key not in _SHOWN_FIRST)
    content = " ".join(part for part in (time, _mark(level), str(record.get("event", "")), fields) if part)
    trace = f"\n{record['exception']}" if record.get("exception") else ""
    painted = _paint(content[:LINE_MAX] + trace, _LEVELS.get(level, ""), coloured)
    return f"{_paint(name.ljust(NAME_WIDTH), _colour(name), coloured)} {painted}"


def _record(line: str) -> Mapping[str, object] | None:
    if not line.startswith("{"):
        return None
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and "event" in record else None


def _mark(level: str) -> str:
    return "" if level == "info" else level.upper()


def _text(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return json.dumps(text, ensure_ascii=False) if " " in text and isinstance(value, str) else text


def _colour(name: str) -> str:
    return _COLOURS[sum(name.encode()) % len(_COLOURS)]


def _paint(text: str, colour: str, coloured: bool) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m" if coloured and colour else text
