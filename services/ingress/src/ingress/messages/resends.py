"""Resends: new messages that repeat the failed deliveries of an earlier message, each delivery at most once."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ingress.core.recipient_parts import RecipientParts
from ingress.http.operator import current_sender
from ingress.infra import outbox
from ingress.sql import resends as sql
from ingress.sql.resends import ResentDelivery
from ingress.sql.status import CountedMessage
from ingress.status.accepted import accepted_open
from ingress.status.projection import StatusProjection
from spreader.clock import Now
from spreader.contract.configuration import Package
from spreader.contract.content import Content
from spreader.contract.events import OpenMessageRequested
from spreader.kafka.envelope import encode
from spreader.runtime.rows import fetched
from spreader.telemetry.tracing import current_traceparent

ResentStatus = Literal["failed", "expired"]
"""Deliveries with these statuses were certainly not received. A delivery that is `unknown` may have been."""
CONTENT: TypeAdapter[Content] = TypeAdapter(Content)


@dataclass(frozen=True, slots=True)
class Resends:
    engine: AsyncEngine
    projection: StatusProjection
    now: Now
    wake_relay: Callable[[], None]

    async def send(
        self, package: Package, message: CountedMessage, content: Content, statuses: Sequence[str], new_id: str
    ) -> int:
        """Stores a message with the id `new_id` for the deliveries that have one of `statuses` and were not sent again.
        Returns how many these are; 0 if there are none, and then nothing is stored.

        If the message `new_id` exists, an earlier request with the same Idempotency-Key has stored it. Then this only
        returns the number of its recipients.
        """
        async with self.engine.begin() as connection:
            known = (await connection.execute(sql.RECIPIENTS_OF, {"message_id": new_id})).scalar_one_or_none()
            if known is not None:
                return known
            params = {"message_id": message.message_id, "statuses": list(statuses)}
            rows = fetched(ResentDelivery, await connection.execute(sql.TO_RESEND, params))
            if rows:
                recipients = RecipientParts.of([row.recipient for row in rows])
                await self._store(connection, list(self._events(package, message, content, recipients, new_id)))
                marked = {"resent_as": new_id, "delivery_ids": [row.delivery_id for row in rows]}
                await connection.execute(sql.MARK_RESENT, marked)
        if rows:
            self.wake_relay()
        return len(rows)

    async def _store(self, connection: AsyncConnection, events: Sequence[OpenMessageRequested]) -> None:
        await self.projection.insert(connection, [accepted_open(events[0])])
        for event in events:
            await outbox.put(connection, [encode(event, "ingress", self.now())])

    def _events(
        self, package: Package, message: CountedMessage, content: Content, recipients: RecipientParts, new_id: str
    ) -> Iterator[OpenMessageRequested]:
        first_index = 0
        for part in recipients:
            yield OpenMessageRequested(
                traceparent=current_traceparent(),
                package_id=package.package_id,
                message_id=new_id,
                content=content,
                recipients=part,
                first_index=first_index,
                total=recipients.count if len(recipients) > 1 else None,
                requested_at=self.now(),
                package_version=package.version,
                name=message.name,
                tags=tuple(message.tags),
                sent_by=current_sender(),
                resend_of=message.message_id,
            )
            first_index += len(part)
