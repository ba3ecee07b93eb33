"""Bus: the port through which a service publishes its events."""

from typing import Protocol

from spreader.contract.events import Event


class PublishFailed(Exception):
    """Kafka did not acknowledge an event in time. Publish it again: readers drop repeats."""


class Bus(Protocol):
    async def publish(self, *events: Event) -> None:
        """Returns when all events are on all replicas; raises PublishFailed when that is not certain."""
        ...
