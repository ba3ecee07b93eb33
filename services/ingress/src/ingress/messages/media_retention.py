"""Media retention: deletes files that no message has used for long. One instance at a time does so."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.sql.retention import MEDIA_TURN
from spreader.media.expiry import MediaExpiry

PAUSE_SECONDS = 1.0
EVERY_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class MediaRetention:
    """`keep`: how long a file is kept after its upload or its last use by a message."""

    engine: AsyncEngine
    expiry: MediaExpiry
    keep: timedelta

    async def run_once(self) -> float:
        """Look at the next files. Returns the seconds until the next run."""
        async with self.engine.begin() as connection:
            if not (await connection.execute(MEDIA_TURN)).scalar_one():
                return EVERY_SECONDS
            _, has_more = await self.expiry.delete_unused(self.keep)
        return PAUSE_SECONDS if has_more else EVERY_SECONDS
