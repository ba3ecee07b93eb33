"""Erased consents: takes an erased person off the lists of consent. Other services read these lists from a topic, so
the person is removed from the topic too."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from ingress.sql import erasures as sql
from spreader.clock import Now
from spreader.contract.events import ConsentChanged
from spreader.erasure.eraser import ErasureParameters
from spreader.erasure.postgres import OpenErasure
from spreader.kafka.bus import EnvelopeBus
from spreader.kafka.envelope import Envelope, source_of
from spreader.phone.canonical import spellings
from spreader.runtime.rows import arrays, fetched

TABLE = "ingress.consent"


@dataclass(frozen=True, slots=True)
class ErasedConsents:
    bus: EnvelopeBus
    now: Now

    async def remove(self, connection: AsyncConnection, erasure: OpenErasure) -> Mapping[str, int]:
        """Delete the person's entries, and publish tombstones for each. Returns how many entries were deleted.

        The rows stay locked until Kafka has the tombstones. Otherwise the person could get on a list again before the
        tombstone of the old entry is in Kafka. Then the tombstone would remove the new entry.
        """
        params = asdict(ErasureParameters.of(erasure))
        keys = fetched(sql.ConsentKey, await connection.execute(sql.ERASABLE_CONSENTS, params))
        if keys:
            tombstones = [each for key in keys for each in self._tombstones(key, erasure.erasure_id)]
            await self.bus.publish_envelopes(*tombstones)
            await connection.execute(sql.DELETE_CONSENTS, arrays(sql.ConsentKey, keys))
        return {TABLE: len(keys)}

    def _tombstones(self, key: sql.ConsentKey, erasure_id: str) -> list[Envelope]:
        """One for each spelling of the number, because earlier versions published under the number as given."""
        headers = {
            "ce_specversion": "1.0",
            "ce_id": f"{erasure_id}/{key.package_id}/{key.kind}",
            "ce_source": source_of("ingress"),
            "ce_type": ConsentChanged.type,
            "ce_time": self.now().isoformat(),
        }
        record_keys = [f"{key.package_id}:{number}:{key.kind}".encode() for number in spellings(key.recipient)]
        return [Envelope(ConsentChanged.topic, record_key, None, headers) for record_key in record_keys]
