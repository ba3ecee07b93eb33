"""Media expiry: deletes the files that no message has used for long, a piece at a time."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta

from spreader.media.store import MediaStore
from spreader.media.use_index import first

FILES_MAX = 100
"""The most files that one call of `delete_unused` looks at."""


@dataclass
class MediaExpiry:
    store: MediaStore
    _to_index: AsyncIterator[str] | None = field(default=None, init=False)
    """The files that must still be added while the index is being completed. After a restart, the completion begins
    again."""

    async def delete_unused(self, unused_for: timedelta, files_max: int = FILES_MAX) -> tuple[int, bool]:
        """Delete files that no message has used for this long. Returns how many files it deleted, and whether more may
        be left to delete."""
        if not await self.store.use_index.is_complete(self.store.today):
            await self._complete_index(files_max)
            return 0, True
        looked_at = deleted = 0
        before = self.store.today - unused_for
        for day in await self.store.use_index.days():
            if day >= before:
                break
            for media_id in await self.store.use_index.media_ids(day, files_max - looked_at):
                looked_at += 1
                deleted += await self.store.delete_if_unused(media_id, day, before)
            if looked_at >= files_max:
                return deleted, True
        return deleted, False

    async def _complete_index(self, files_max: int) -> None:
        """Add the next files to the index. This reads the description of each file. The index is completed once in 30
        days."""
        if self._to_index is None:
            self._to_index = self.store.media_ids()
        added = 0
        async for media_id in first(self._to_index, files_max):
            added += 1
            if (info := await self.store.info(media_id)) is not None:
                await self.store.use_index.add(media_id, info.used_on)
        if added < files_max:
            self._to_index = None
            await self.store.use_index.mark_complete(self.store.today)
