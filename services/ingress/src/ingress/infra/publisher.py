"""Publisher: the bus with a time limit, so that a caller learns within seconds that Kafka is unavailable."""

import asyncio
from collections.abc import Coroutine

from spreader.contract.events import Event
from spreader.kafka.bus import PublishFailed
from spreader.kafka.client import KafkaBus
from spreader.kafka.envelope import Envelope

REQUEST_TIMEOUT_MS = 3_000
PUBLISH_SECONDS_MAX = 4.0


class TimeLimitedBus:
    """Publishes within `PUBLISH_SECONDS_MAX` or raises PublishFailed.

    It tries even if the probe has just found Kafka unavailable, because a slow probe does not prove an outage.
    """

    def __init__(self, bus: KafkaBus) -> None:
        self._bus = bus

    async def publish(self, *events: Event) -> None:
        await self._within_limit(self._bus.publish(*events))

    async def publish_envelopes(self, *envelopes: Envelope) -> None:
        await self._within_limit(self._bus.publish_envelopes(*envelopes))

    async def _within_limit(self, publish: Coroutine[None, None, None]) -> None:
        try:
            async with asyncio.timeout(PUBLISH_SECONDS_MAX):
                await publish
        except TimeoutError as error:
            raise PublishFailed(f"Kafka did not acknowledge an event within {PUBLISH_SECONDS_MAX:g} s") from error
