"""Upload: a file that the Cloud API keeps under a name of its own, so that it travels there once."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Protocol

from sender.gateways.media import File
from sender.metrics import UPLOADS

KEPT = timedelta(days=29)
"""Meta keeps a file for 30 days."""


class UploadStore(Protocol):
    async def name(self, account: str, sha256: str, kind: str, younger_than: timedelta) -> str | None: ...
    async def keep(self, account: str, sha256: str, kind: str, name: str) -> None: ...
    async def forget(self, account: str, name: str) -> None: ...


class Uploads:
    """Of those who want the same file at the same time, one uploads it and the others wait."""

    def __init__(self, store: UploadStore) -> None:
        self._store = store
        self._locks: dict[tuple[str, str, str], asyncio.Lock] = {}

    async def name_of(self, account: str, file: File, upload: Callable[[], Awaitable[str]]) -> str:
        """The account's name for the file; what `upload` raises is passed on."""
        key = (account, file.sha256, file.type)
        lock = self._locks.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                name = await self._store.name(*key, younger_than=KEPT)
                UPLOADS.labels("made" if name is None else "there").inc()
                if name is None:
                    name = await upload()
                    await self._store.keep(*key, name)
                return name
        finally:
            if not lock.locked() and self._locks.get(key) is lock:
                self._locks.pop(key)

    async def forget(self, account: str, name: str) -> None:
        """The account does not know the name, or cannot use it: the next send uploads the file anew."""
        await self._store.forget(account, name)
