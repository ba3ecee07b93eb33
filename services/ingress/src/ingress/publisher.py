"""Publisher: the bus with a bound, so that a caller hears within seconds that Kafka is away."""

import asyncio
from collections.abc import Callable, Coroutine

from spreader.bus import Unpublished
from spreader.envelope import Envelope
from spreader.events import Event
from spreader.kafka import KafkaBus

REQUEST_TIMEOUT_MS = 3_000
PUBLISH_SECONDS_MAX = 4.0


class Publisher:
    """Refuses at once while Kafka is known to be away."""

    def __init__(self, bus: KafkaBus, trouble: Callable[[], str | None]) -> None:
        self._bus = bus
        self._trouble = trouble

    async def publish(self, *events: Event) -> None:
        await self._bounded(self._bus.publish(*events))

    async def publish_sealed(self, *envelopes: Envelope) -> None:
        await self._bounded(self._bus.publish_sealed(*envelopes))

    async def _bounded(self, publishing: Coroutine[None, None, None]) -> None:
        if (trouble := self._trouble()) is not None:
            publishing.close()
            raise Unpublished(f"Kafka is away: {trouble}")
        try:
            async with asyncio.timeout(PUBLISH_SECONDS_MAX):
                await publishing
        except TimeoutError as error:
            raise Unpublished(f"Kafka did not take an event within {PUBLISH_SECONDS_MAX:g} s") from error
