"""Upload cache: the ids of files that the Cloud API stores, so that each account uploads a file once in 29 days."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Protocol

from sender.metrics import UPLOADS
from spreader.media.store import MediaFile
from spreader.text.clean_text import SafeText

UPLOAD_VALID_FOR = timedelta(days=29)
"""Meta deletes an uploaded file after 30 days. This is a day less."""


class UploadStore(Protocol):
    async def upload_id(self, account: str, sha256: str, mime_type: str, younger_than: timedelta) -> str | None: ...
    async def keep(self, account: str, sha256: str, mime_type: str, upload_id: SafeText) -> None: ...
    async def forget(self, account: str, upload_id: str) -> None: ...


class UploadCache:
    """If several sends need the same file at the same time, one uploads it and the others wait."""

    def __init__(self, store: UploadStore) -> None:
        self._store = store
        self._locks: dict[tuple[str, str, str], asyncio.Lock] = {}

    async def upload_id(self, account: str, file: MediaFile, upload: Callable[[], Awaitable[SafeText]]) -> str:
        """The account's id of the file. If there is none, calls `upload`. The errors of `upload` are raised
        unchanged."""
        key = (account, file.sha256, file.type)
        lock = self._locks.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                upload_id = await self._store.upload_id(*key, younger_than=UPLOAD_VALID_FOR)
                UPLOADS.labels("made" if upload_id is None else "there").inc()
                if upload_id is None:
                    upload_id = await upload()
                    await self._store.keep(*key, upload_id)
                return upload_id
        finally:
            if not lock.locked() and self._locks.get(key) is lock:
                self._locks.pop(key)

    async def forget(self, account: str, upload_id: str) -> None:
        """Forgets an upload that Meta has deleted or cannot use. The next send uploads the file again."""
        await self._store.forget(account, upload_id)
