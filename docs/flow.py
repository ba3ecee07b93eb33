"""Flow: which service publishes and reads each event, and which service calls which over HTTP, as tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from docs.sources import SERVICES, routes_called, sources
from spreader.contract.events import COMPACTED, DEAD_LETTER_TOPIC, EVENTS, PARTITIONS, Callback, Event


@dataclass(frozen=True, slots=True)
class Flow:
    """Services, by name."""

    publishers: tuple[str, ...]
    readers: tuple[str, ...]


FLOWS: Mapping[type[Event], Flow] = {
    kind: Flow(
        tuple(service for service in SERVICES if kind in sources(service).published()),
        tuple(service for service in SERVICES if kind in sources(service).read()),
    )
    for kind in EVENTS
}
WHOLE_API = "the public API, with the signed-in operator's key"


class _Named(str):
    """A value named after a field: a text made of such values shows the fields it is made of."""

    __slots__ = ()

    def __getattr__(self, name: str) -> "_Named":
        return _Named(name)


def key_of(kind: type[Event]) -> str | None:
    """The fields that make the key of an event, as its class puts them together."""
    names: dict[str, Any] = {name: _Named(name) for name in kind.model_fields}
    return kind.model_construct(**names).key


def summary(kind: type[Event]) -> str:
    """What the event says: the first line of its docstring."""
    return (kind.__doc__ or "").split("\n", 1)[0]


def topics() -> str:
    """Every topic as a row of Markdown."""
    head = "| topic | key | partitions | event | from → to | what |\n| --- | --- | --- | --- | --- | --- |"
    dead = f"| `{DEAD_LETTER_TOPIC}` | as received | {PARTITIONS[DEAD_LETTER_TOPIC]} | bytes as received |"
    return "\n".join(
        [head, *map(_row, EVENTS), f"{dead} every service → people | A record that no handler could process. |"]
    )


def calls() -> str:
    """Every pair of services of which one calls the other, as a row of Markdown."""
    pairs = [(caller, called) for caller in SERVICES for called in sources(caller).called()]
    return "\n".join(["| from → to | what |", "| --- | --- |", *(_call(caller, called) for caller, called in pairs)])


def _call(caller: str, called: str) -> str:
    routes = routes_called(sources(caller), sources(called))
    return f"| {caller} → {called} | {', '.join(f'`{route}`' for route in routes) or WHOLE_API} |"


def _row(kind: type[Event]) -> str:
    flow = FLOWS[kind]
    key = "none: the caller's partition" if issubclass(kind, Callback) else f"`{key_of(kind)}`"
    partitions = f"{PARTITIONS[kind.topic]}{', compacted' if kind.topic in COMPACTED else ''}"
    way = f"{', '.join(flow.publishers)} → {', '.join(flow.readers)}"
    return f"| `{kind.topic}` | {key} | {partitions} | `{kind.__name__}` | {way} | {summary(kind)} |"
