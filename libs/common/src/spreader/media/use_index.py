"""Use index: empty objects in the media store that show for each day which files were last used on that day.

`used/2026-03-01/med_…` means that the file was used on that day. So the files that are no longer used are found by
their day, without reading the description of every file.
"""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, timedelta

import obstore
from obstore.store import ObjectStore

_PREFIX = "used"
_BUILT = "used_index"
"""An object with the day on which the index was last completed. It is completed again after `BUILD_EVERY`, because the
previous version of Spreader stores files without an entry."""
BUILD_EVERY = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class UseIndex:
    store: ObjectStore

    async def add(self, media_id: str, day: date) -> None:
        await obstore.put_async(self.store, f"{_PREFIX}/{day.isoformat()}/{media_id}", b"", mode="overwrite")

    async def remove(self, media_id: str, day: date) -> None:
        await delete(self.store, f"{_PREFIX}/{day.isoformat()}/{media_id}")

    async def days(self) -> list[date]:
        """The days with entries, the earliest first."""
        found = await obstore.list_with_delimiter_async(self.store, prefix=_PREFIX)
        return sorted(date.fromisoformat(prefix.rpartition("/")[2]) for prefix in found["common_prefixes"])

    async def media_ids(self, day: date, at_most: int) -> list[str]:
        paths = names(self.store, f"{_PREFIX}/{day.isoformat()}")
        return [path.rpartition("/")[2] async for path in first(paths, at_most)]

    async def is_complete(self, today: date) -> bool:
        try:
            result = await obstore.get_async(self.store, _BUILT)
            built_on = date.fromisoformat(bytes(await result.bytes_async()).decode())
        except FileNotFoundError:
            return False
        return today - built_on < BUILD_EVERY

    async def mark_complete(self, today: date) -> None:
        await obstore.put_async(self.store, _BUILT, today.isoformat().encode(), mode="overwrite")


async def names(store: ObjectStore, prefix: str | None = None) -> AsyncIterator[str]:
    """The names of the objects with this prefix."""
    async for page in obstore.list(store, prefix=prefix):
        for item in page:
            yield item["path"]


async def first(items: AsyncIterator[str], at_most: int) -> AsyncIterator[str]:
    """The next items, at most `at_most`."""
    for _ in range(at_most):
        try:
            yield await anext(items)
        except StopAsyncIteration:
            return


async def delete(store: ObjectStore, *paths: str) -> None:
    """Delete these objects in this order. Some may be missing, because an earlier deletion was interrupted."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            await obstore.delete_async(store, [path])
