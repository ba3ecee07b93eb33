"""Publisher: the bus with a bound, so that a caller hears within seconds that Kafka is away."""

import asyncio
from collections.abc import Coroutine

from spreader.contract.events import Event
from spreader.kafka.bus import PublishFailed
from spreader.kafka.client import KafkaBus
from spreader.kafka.envelope import Envelope

REQUEST_TIMEOUT_MS = 3_000
PUBLISH_SECONDS_MAX = 4.0


class Publisher:
    """Always tries, whatever a probe of Kafka said a second ago: a busy machine is not a broker that is away."""

    def __init__(self, bus: KafkaBus) -> None:
        self._bus = bus

    async def publish(self, *events: Event) -> None:
        await self._bounded(self._bus.publish(*events))

    async def publish_envelopes(self, *envelopes: Envelope) -> None:
        await self._bounded(self._bus.publish_envelopes(*envelopes))

    async def _bounded(self, publishing: Coroutine[None, None, None]) -> None:
        try:
            async with asyncio.timeout(PUBLISH_SECONDS_MAX):
                await publishing
        except TimeoutError as error:
            raise PublishFailed(f"Kafka did not take an event within {PUBLISH_SECONDS_MAX:g} s") from error
