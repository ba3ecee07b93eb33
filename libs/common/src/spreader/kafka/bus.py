"""Bus: where a service puts its events; the port that handlers see."""

from typing import Protocol

from spreader.contract.events import Event


class PublishFailed(Exception):
    """Kafka did not take an event in time: it may be tried again, readers drop repeats."""


class Bus(Protocol):
    async def publish(self, *events: Event) -> None:
        """All events are on all replicas when this returns; raises Unpublished where that is not sure."""
        ...
