"""Ports: the outer things that endpoints use, as few verbs each; real ones in `app`, in-memory ones in `testing`."""

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from spreader.contract.events import Event
from spreader.kafka.envelope import Envelope

E = TypeVar("E", bound=Event, covariant=True)


class Rows(Protocol[E]):
    """The newest event of each key of a compacted topic (`spreader.table.Table`)."""

    @property
    def rows(self) -> Mapping[str, E]: ...
    def get(self, key: str) -> E | None: ...
    def not_ready_reason(self) -> str | None: ...
    async def wait_for(self, satisfied: Callable[[], bool], timeout: float) -> bool: ...


class SealedBus(Protocol):
    async def publish_envelopes(self, *envelopes: Envelope) -> None:
        """All are on all replicas when this returns; raises Unpublished where that is not sure."""
        ...
