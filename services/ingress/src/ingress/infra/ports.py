"""Ports: the outer things that endpoints use, as few verbs each; real ones in `app`, in-memory ones in `testing`."""

from typing import Protocol

from spreader.kafka.envelope import Envelope


class SealedBus(Protocol):
    async def publish_envelopes(self, *envelopes: Envelope) -> None:
        """All are on all replicas when this returns; raises Unpublished where that is not sure."""
        ...
