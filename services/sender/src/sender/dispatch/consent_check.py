"""Consent check: reads a recipient's consents again before a delivery is suppressed for a missing opt-in.

A missing opt-in counts only when the consent topic is fully consumed (decision 0034). Before that, the sender may not
know yet that the recipient opted in seconds ago. It may even have just begun to read the topic.
"""

from dataclasses import dataclass

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from sender.core.delivery import Delivery
from spreader.consent import ConsentTable, wait_until_consents_consumed
from spreader.contract.events import ConsentKind
from spreader.kafka.read_barrier import ReadProgress
from spreader.runtime.postgres import autocommit

log = structlog.get_logger()

CONSENTS = ConsentTable("sender")
WAIT_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class ConsentCheck:
    engine: AsyncEngine
    progress: ReadProgress
    wait_seconds: float = WAIT_SECONDS

    async def current_consents(self, delivery: Delivery) -> frozenset[ConsentKind] | None:
        """The recipient's consents now; None if the topic could not be consumed within `wait_seconds`."""
        try:
            consumed = await wait_until_consents_consumed(self.progress, self.wait_seconds)
        except OSError:  # no connection to Kafka
            consumed = False
        if not consumed:
            log.warning(
                "opt-in not checked: changes of consent are still unread; the delivery is deferred",
                delivery_id=delivery.delivery_id,
            )
            return None
        key = delivery.package_id, delivery.person
        async with autocommit(self.engine) as connection:
            return frozenset((await CONSENTS.of(connection, [key])).get(key, ()))
