"""Opt-ins: what is decided by an absence is decided when all changes of consent up to now are read.

Else somebody who opted in a moment ago, or a sender that has just begun to read the lists, would cost a delivery.
"""

from dataclasses import dataclass

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from sender.core.delivery import Delivery
from spreader.consent import ConsentTable, wait_until_consents_consumed
from spreader.contract.events import ConsentKind
from spreader.kafka.read_barrier import ReadProgress

log = structlog.get_logger()

CONSENTS = ConsentTable("sender")
CONSENT_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class OptIns:
    engine: AsyncEngine
    progress: ReadProgress
    wait_seconds: float = CONSENT_SECONDS

    async def listed(self, delivery: Delivery) -> frozenset[ConsentKind] | None:
        """The lists that its recipient is on by now; None: changes are still unread, so nobody can say."""
        try:
            consumed = await wait_until_consents_consumed(self.progress, self.wait_seconds)
        except OSError:  # Kafka is away
            consumed = False
        if not consumed:
            log.warning("a delivery waits: changes of consent are still unread", delivery_id=delivery.delivery_id)
            return None
        place = delivery.package_id, delivery.recipient
        async with self.engine.connect() as connection:
            return frozenset((await CONSENTS.of(connection, [place])).get(place, ()))
