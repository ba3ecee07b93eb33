"""Media retention: deletes files that no message has used for long. One instance at a time does so."""

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.sql.retention import TAKE_LEASE
from spreader.media.expiry import MediaExpiry
from spreader.runtime.postgres import autocommit

PAUSE_SECONDS = 1.0
EVERY_SECONDS = 3600.0
LEASE = timedelta(minutes=10)
"""How long an instance keeps its turn. A step usually takes less. If a step takes longer, a second instance may look at
the same files, which does no harm."""


@dataclass(frozen=True, slots=True)
class MediaRetention:
    """`keep`: how long a file is kept. The time begins at the upload, and again at each use by a message."""

    engine: AsyncEngine
    expiry: MediaExpiry
    keep: timedelta
    holder: str = field(default_factory=lambda: uuid4().hex)

    async def run_once(self) -> float:
        """Delete the next unused files. Returns the seconds until the next run. No transaction is open while files are
        deleted, because the media store may answer slowly."""
        lease = {"name": "old files", "holder": self.holder, "lasts": LEASE}
        async with autocommit(self.engine) as connection:
            if (await connection.execute(TAKE_LEASE, lease)).scalar() is None:
                return EVERY_SECONDS
        _, has_more = await self.expiry.delete_unused(self.keep)
        return PAUSE_SECONDS if has_more else EVERY_SECONDS
