"""Flow: who publishes each event and who reads it. The topics, keys and partitions come from the events themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spreader.contract.events import (
    COMPACTED,
    DEAD_LETTER_TOPIC,
    EVENTS,
    PARTITIONS,
    Alert,
    Callback,
    ConsentChanged,
    CustomerMessage,
    DeliveryOutcome,
    DeliveryReleased,
    DeliveryReturned,
    Event,
    MessageCancelled,
    MessageRouted,
    OpenDeliveriesAssigned,
    OpenMessageRequested,
    PackageConfigured,
    ProfilePace,
    ProfileReported,
    ProfileState,
    ReplyDeliveryAssigned,
    ReplyMessageRequested,
    ReplySettled,
)


@dataclass(frozen=True, slots=True)
class Flow:
    """Services, by name; none of them: a later version publishes or reads it."""

    publishers: tuple[str, ...]
    readers: tuple[str, ...]
    what: str


FLOWS: Mapping[type[Event], Flow] = {
    OpenMessageRequested: Flow(("ingress",), ("router", "ingress"), "one content, up to 500 recipients of a message"),
    ReplyMessageRequested: Flow(("ingress",), ("router", "ingress"), "one content for one customer who waits"),
    OpenDeliveriesAssigned: Flow(("router",), ("pacer", "ingress"), "the deliveries of a record, each with a profile"),
    ReplyDeliveryAssigned: Flow(("router",), ("sender", "ingress"), "a reply and the profile that it goes through"),
    DeliveryReleased: Flow(("pacer",), ("sender", "ingress"), "due now, and not to be begun after `send_by`"),
    DeliveryReturned: Flow(("sender", "pacer"), ("router",), "surely not sent; it needs another profile"),
    DeliveryOutcome: Flow(
        ("sender", "pacer", "router", "ingress"),
        ("pacer", "router", "sender", "stats", "ingress"),
        "a change of a delivery's fate",
    ),
    ProfileReported: Flow(
        ("ingress", "sender"), ("stats",), "how a profile stands at its gateway, apart from any delivery"
    ),
    CustomerMessage: Flow(("ingress",), ("router", "stats", "pacer"), "a customer wrote to a profile"),
    MessageCancelled: Flow(("ingress",), ("pacer",), "stop what is still held"),
    ConsentChanged: Flow(
        ("ingress",), ("router", "pacer", "sender"), "somebody must not be written to, or has asked to be"
    ),
    PackageConfigured: Flow(
        ("ingress",), ("router", "pacer", "sender", "stats", "ingress"), "a package and its profiles, in full"
    ),
    ProfileState: Flow(("stats",), ("router", "pacer", "ingress", "stats"), "how a profile fares: its rolling counts"),
    ProfilePace: Flow(("pacer",), (), "what the pacer does with a profile, and why not yet"),
    MessageRouted: Flow(("router",), ("ingress",), "how many deliveries each profile got, for the caller who waits"),
    ReplySettled: Flow(("sender", "router"), ("ingress",), "what became of a reply, for the caller who waits"),
    Alert: Flow(("stats",), ("stats",), "something about a profile needs a person, or no longer does"),
}


class _Named(str):
    """A value that stands for the field of its name: what is made of it shows which fields it is made of."""

    __slots__ = ()

    def __getattr__(self, name: str) -> "_Named":
        return _Named(name)


def key_of(kind: type[Event]) -> str | None:
    """The fields that make the key of an event, as its class puts them together."""
    names: dict[str, Any] = {name: _Named(name) for name in kind.model_fields}
    return kind.model_construct(**names).key


def table() -> str:
    """Every topic as a row of Markdown."""
    head = "| topic | key | partitions | event | from → to | what |\n| --- | --- | --- | --- | --- | --- |"
    dead = f"| `{DEAD_LETTER_TOPIC}` | as it was | {PARTITIONS[DEAD_LETTER_TOPIC]} | bytes as received | all → people |"
    return "\n".join([head, *map(_row, EVENTS), f"{dead} what no reader could handle, with the reason |"])


def _row(kind: type[Event]) -> str:
    flow = FLOWS[kind]
    key = "none: the asker names the partition" if issubclass(kind, Callback) else f"`{key_of(kind)}`"
    partitions = f"{PARTITIONS[kind.topic]}{', compacted' if kind.topic in COMPACTED else ''}"
    way = f"{_names(flow.publishers)} → {_names(flow.readers)}"
    return f"| `{kind.topic}` | {key} | {partitions} | `{kind.__name__}` | {way} | {flow.what} |"


def _names(services: tuple[str, ...]) -> str:
    return ", ".join(services) or "(nobody yet)"
