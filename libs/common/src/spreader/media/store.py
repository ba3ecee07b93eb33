"""Media store: the files of messages in an object store. A file's id is a hash of its bytes, so a file is stored
once."""

import asyncio
import hashlib
import re
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from weakref import WeakValueDictionary

import obstore
from obstore.store import LocalStore, ObjectStore, from_url
from pydantic import TypeAdapter

from spreader.clock import Now
from spreader.contract import content
from spreader.media.safe_fetch import MediaDownloader, MediaRefused, MediaUnavailable
from spreader.media.types import HEAD_BYTES, RULES, content_kinds, detect_type, image_problem, objection
from spreader.media.use_index import UseIndex, delete, names

__all__ = ["MediaCache", "MediaFile", "MediaInfo", "MediaRefused", "MediaStore", "MediaUnavailable", "inspect_file"]

CACHE_BYTES_MAX = 64 * 1024 * 1024
URLS_MAX = 1_000
FETCH_SECONDS = 30.0
LARGE_BYTES = RULES["image"].bytes_max
"""A larger file is no image, so it is not decoded."""
WAITING_MAX = 16
"""The most large files that wait until the files before them are inspected and stored. The same number holds for small
files."""
_INFO_SUFFIX = ".json"
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """A stored file without its bytes. `used_on`: the last day on which a message used it."""

    media_id: str
    type: str
    size_bytes: int
    sha256: str
    filename: str | None
    used_on: date

    @property
    def kinds(self) -> tuple[str, ...]:
        return content_kinds(self.type, self.size_bytes)


_MEDIA_INFO = TypeAdapter(MediaInfo)


@dataclass(frozen=True, slots=True)
class MediaFile:
    """A file with its bytes, for a driver to send."""

    media_id: str
    type: str
    filename: str | None
    size_bytes: int
    sha256: str
    data: bytes


def inspect_file(data: bytes, filename: str | None, today: date) -> MediaInfo:
    """The type, size and id of a file. Raises `MediaRefused` if the file is damaged, or if no kind of content can carry
    it."""
    mime_type = detect_type(data[:HEAD_BYTES], data)
    kind = next((kind for kind, rule in RULES.items() if mime_type in rule.types), None)
    if kind is None:
        allowed = ", ".join(sorted({name for rule in RULES.values() for name in rule.types}))
        raise MediaRefused(f"it is {mime_type}, and WhatsApp takes only {allowed}")
    reason = objection(kind, mime_type, len(data)) or image_problem(mime_type, data)
    if reason is not None:
        raise MediaRefused(reason)
    sha256 = hashlib.sha256(data).hexdigest()
    return MediaInfo(f"med_{sha256[:32]}", mime_type, len(data), sha256, filename, today)


class _Turns:
    """Lets one task work at a time. At most `WAITING_MAX` other tasks may wait."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._inside = 0

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Raises `MediaUnavailable` if too many wait already."""
        if self._inside > WAITING_MAX:
            raise MediaUnavailable(f"{WAITING_MAX} other files wait to be inspected")
        self._inside += 1
        try:
            async with self._lock:
                yield
        finally:
            self._inside -= 1


class MediaStore:
    """A component that keeps files. `location` is `file:` and a folder, or a URL of obstore (`s3://`, `gs://`,
    `az://`)."""

    def __init__(self, location: str, now: Now) -> None:
        self.name = "media"
        self._location = location
        self._now = now
        self._store: ObjectStore | None = None
        self._reason: str | None = "not started"
        self._large, self._small, self._file = _Turns(), _Turns(), asyncio.Lock()

    async def start(self) -> None:
        self._store = await asyncio.to_thread(_opened, self._location)
        await obstore.put_async(self._store, "ready", b"", mode="overwrite")  # fails if the store is read-only
        self._reason = None

    async def stop(self) -> None:
        self._store = None

    def not_ready_reason(self) -> str | None:
        return self._reason

    def is_live(self) -> bool:
        return True

    async def put(self, data: bytes, filename: str | None) -> MediaInfo:
        """Store a file, unless it is stored already. Raises `MediaRefused` or `MediaUnavailable`."""

        async def read() -> bytes:
            return data

        return await self.put_from(read, len(data), filename)

    async def put_from(self, read: Callable[[], Awaitable[bytes]], size_bytes: int, filename: str | None) -> MediaInfo:
        """Store the file that `read` returns, when its turn has come. Raises `MediaRefused` or `MediaUnavailable`.

        Only one file at a time is in memory, because a large file needs 100 MB and a decoded image 200 MB. Large files
        and small files wait in two queues. Only the first file of each queue can be the next one in memory. So a small
        file never waits for several large files in a row.
        """
        async with self._large.turn() if size_bytes > LARGE_BYTES else self._small.turn(), self._file:
            data = await read()
            info = await asyncio.to_thread(inspect_file, data, filename, self.today)
            if await self.info(info.media_id) is None:
                await obstore.put_async(self._open, info.media_id, data)
            await self._put_info(info)
            return info

    async def info(self, media_id: str) -> MediaInfo | None:
        """The description of a file. None: there is no such file. A caller may send any text as an id, even a text that
        cannot be a path."""
        if _ID.fullmatch(media_id) is None:
            return None
        try:
            result = await obstore.get_async(self._open, f"{media_id}{_INFO_SUFFIX}")
            return _MEDIA_INFO.validate_json(bytes(await result.bytes_async()))
        except FileNotFoundError:
            return None

    async def mark_used(self, info: MediaInfo) -> None:
        """Record that a message uses the file today, so that it is not deleted as unused."""
        if info.used_on != self.today:
            await self._put_info(replace(info, used_on=self.today))
            await self.use_index.remove(info.media_id, info.used_on)

    async def read(self, media_id: str) -> bytes:
        """The file's bytes. Raises `FileNotFoundError`."""
        if _ID.fullmatch(media_id) is None:
            raise FileNotFoundError(media_id)
        result = await obstore.get_async(self._open, media_id)
        return bytes(await result.bytes_async())

    async def delete_if_unused(self, media_id: str, day: date, before: date) -> bool:
        """Take the entry of `day` out of the index, and delete the file unless a message used it on `before` or later.
        Returns whether it deleted the file."""
        info = await self.info(media_id)
        is_used = info is not None and info.used_on >= before
        if info is not None and is_used:
            await self.use_index.add(media_id, info.used_on)
        else:
            await delete(self._open, f"{media_id}{_INFO_SUFFIX}", media_id)
        await self.use_index.remove(media_id, day)
        return not is_used

    async def media_ids(self) -> AsyncIterator[str]:
        async for path in names(self._open):
            if path.endswith(_INFO_SUFFIX):
                yield path.removesuffix(_INFO_SUFFIX)

    @property
    def use_index(self) -> UseIndex:
        return UseIndex(self._open)

    async def _put_info(self, info: MediaInfo) -> None:
        """Store the description of a file. The index gets the entry first, because the deletion of unused files finds
        only files with an entry."""
        await self.use_index.add(info.media_id, info.used_on)
        await obstore.put_async(self._open, f"{info.media_id}{_INFO_SUFFIX}", _MEDIA_INFO.dump_json(info))

    @property
    def today(self) -> date:
        now: datetime = self._now()
        return now.date()

    @property
    def _open(self) -> ObjectStore:
        assert self._store is not None, "the media store is not started"
        return self._store


class MediaCache:
    """The files that messages refer to, from the store or from their URL. The files that were used last stay in
    memory."""

    def __init__(self, store: MediaStore, downloader: MediaDownloader, cache_bytes_max: int = CACHE_BYTES_MAX) -> None:
        self._store = store
        self._downloader = downloader
        self._bytes_max = cache_bytes_max
        self._cached: OrderedDict[str, MediaFile] = OrderedDict()
        self._id_by_url: OrderedDict[str, str] = OrderedDict()
        self._locks = WeakValueDictionary[str, asyncio.Lock]()

    async def file(self, media: content.Media, kind: str) -> MediaFile:
        """The file for a content of this kind. Raises `MediaRefused` or `MediaUnavailable`."""
        if kind not in RULES:
            raise MediaRefused(f"{kind} has no file")
        key = media.media_id or media.url or ""
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:  # concurrent requests for one file load it once
            file = await (self._stored(key) if media.media_id else self._downloaded(key, kind))
        reason = objection(kind, file.type, file.size_bytes)
        if reason is not None:
            raise MediaRefused(reason)
        return replace(file, filename=media.filename or file.filename)

    async def _stored(self, media_id: str) -> MediaFile:
        if media_id in self._cached:
            self._cached.move_to_end(media_id)
            return self._cached[media_id]
        try:
            info = await self._store.info(media_id)
            if info is None:
                raise MediaRefused(f"there is no file {media_id} (any more)")
            data = await self._store.read(media_id)
        except FileNotFoundError:
            raise MediaRefused(f"there is no file {media_id} (any more)") from None
        except OSError as error:
            raise MediaUnavailable(f"the media store is unavailable: {type(error).__name__}") from None
        return self._cache(info, data)

    async def _downloaded(self, url: str, kind: str) -> MediaFile:
        if url in self._id_by_url:
            return await self._stored(self._id_by_url[url])
        data = await self._downloader.fetch(url, RULES[kind].bytes_max, FETCH_SECONDS)
        info = await self._store.put(data, None)
        self._id_by_url[url] = info.media_id
        return self._cache(info, data)

    def _cache(self, info: MediaInfo, data: bytes) -> MediaFile:
        file = MediaFile(info.media_id, info.type, info.filename, info.size_bytes, info.sha256, data)
        self._cached[file.media_id] = file
        while len(self._cached) > 1 and sum(cached.size_bytes for cached in self._cached.values()) > self._bytes_max:
            self._cached.popitem(last=False)
        while len(self._id_by_url) > URLS_MAX:
            self._id_by_url.popitem(last=False)
        return file


def _opened(location: str) -> ObjectStore:
    kind, _, rest = location.partition(":")
    if kind != "file":
        return from_url(location)
    return LocalStore(Path(rest).absolute(), automatic_cleanup=True, mkdir=True)
