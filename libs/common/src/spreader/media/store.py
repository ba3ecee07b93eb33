"""Media: the files of messages, kept in an object store under a name made of their bytes, so each is kept once."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from weakref import WeakValueDictionary

import obstore
from obstore.store import LocalStore, ObjectStore, from_url
from pydantic import TypeAdapter

from spreader.clock import Now
from spreader.contract import content
from spreader.media.safe_fetch import MediaDownloader, MediaRefused, MediaUnavailable
from spreader.media.types import HEAD_BYTES, RULES, kinds_of, objection, type_of, unreadable

__all__ = ["Media", "MediaFile", "MediaInfo", "MediaRefused", "MediaStore", "MediaUnavailable", "inspect_file"]

CACHE_BYTES_MAX = 64 * 1024 * 1024
FETCH_SECONDS = 30.0
_DESCRIPTION = ".json"


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What is known of a kept file. `used_on`: the last day on which a message named it."""

    media_id: str
    type: str
    size_bytes: int
    sha256: str
    filename: str | None
    used_on: date

    @property
    def kinds(self) -> tuple[str, ...]:
        return kinds_of(self.type, self.size_bytes)


_DESCRIBED = TypeAdapter(MediaInfo)


@dataclass(frozen=True, slots=True)
class MediaFile:
    """A file with its bytes, as a driver sends it."""

    media_id: str
    type: str
    filename: str | None
    size_bytes: int
    sha256: str
    data: bytes


def inspect_file(data: bytes, filename: str | None, today: date) -> MediaInfo:
    """What a file is. Raises `MediaRefused` where it can be sent as nothing, or cannot be shown."""
    found = type_of(data[:HEAD_BYTES], data)
    fitting = next((kind for kind, rule in RULES.items() if found in rule.types), None)
    if fitting is None:
        takes = ", ".join(sorted({name for rule in RULES.values() for name in rule.types}))
        raise MediaRefused(f"it is {found}, and WhatsApp takes only {takes}")
    reason = objection(fitting, found, len(data)) or unreadable(found, data)
    if reason is not None:
        raise MediaRefused(reason)
    sha256 = hashlib.sha256(data).hexdigest()
    return MediaInfo(f"med_{sha256[:32]}", found, len(data), sha256, filename, today)


class MediaStore:
    """A part. Its place: `file:` and a folder, or an address that obstore knows (`s3://`, `gs://`, `az://`)."""

    def __init__(self, place: str, now: Now) -> None:
        self.name = "media"
        self._place = place
        self._now = now
        self._store: ObjectStore | None = None
        self._trouble: str | None = "not started"

    async def start(self) -> None:
        self._store = await asyncio.to_thread(_opened, self._place)
        await obstore.put_async(self._store, "ready", b"", mode="overwrite")  # fails where nothing can be written
        self._trouble = None

    async def stop(self) -> None:
        self._store = None

    def not_ready_reason(self) -> str | None:
        return self._trouble

    def is_live(self) -> bool:
        return True

    async def keep(self, data: bytes, filename: str | None) -> MediaInfo:
        """Raises `MediaRefused`. A file that is kept already is not written again."""
        described = await asyncio.to_thread(inspect_file, data, filename, self._today)
        if await self.describe(described.media_id) is None:
            await obstore.put_async(self._open, described.media_id, data)
        await self._describe(described)
        return described

    async def describe(self, media_id: str) -> MediaInfo | None:
        try:
            got = await obstore.get_async(self._open, f"{media_id}{_DESCRIPTION}")
            return _DESCRIBED.validate_json(bytes(await got.bytes_async()))
        except FileNotFoundError:
            return None

    async def use(self, described: MediaInfo) -> None:
        """A message names it: it is kept for as long as that asks."""
        if described.used_on != self._today:
            await self._describe(replace(described, used_on=self._today))

    async def data(self, media_id: str) -> bytes:
        """Raises `FileNotFoundError`."""
        got = await obstore.get_async(self._open, media_id)
        return bytes(await got.bytes_async())

    async def forget(self, unused_for: timedelta) -> int:
        """Remove what no message has named for so long; answers how many files went."""
        before, gone = (self._now() - unused_for).date(), 0
        async for media_id in self._all():
            described = await self.describe(media_id)
            if described is not None and described.used_on < before:
                await obstore.delete_async(self._open, [f"{media_id}{_DESCRIPTION}", media_id])
                gone += 1
        return gone

    async def _all(self) -> AsyncIterator[str]:
        async for page in obstore.list(self._open):
            for each in page:
                if each["path"].endswith(_DESCRIPTION):
                    yield each["path"].removesuffix(_DESCRIPTION)

    async def _describe(self, described: MediaInfo) -> None:
        said = _DESCRIBED.dump_json(described)
        await obstore.put_async(self._open, f"{described.media_id}{_DESCRIPTION}", said)

    @property
    def _today(self) -> date:
        now: datetime = self._now()
        return now.date()

    @property
    def _open(self) -> ObjectStore:
        assert self._store is not None, "the store of media was asked before it started"
        return self._store


class Media:
    """What messages name as their file, with its bytes; the ones used last stay in memory, within a bound."""

    def __init__(self, store: MediaStore, fetcher: MediaDownloader, cache_bytes_max: int = CACHE_BYTES_MAX) -> None:
        self._store = store
        self._fetcher = fetcher
        self._cache_bytes_max = cache_bytes_max
        self._cached: OrderedDict[str, MediaFile] = OrderedDict()
        self._kept_as: OrderedDict[str, str] = OrderedDict()
        self._locks = WeakValueDictionary[str, asyncio.Lock]()

    async def file(self, media: content.Media, kind: str) -> MediaFile:
        """Raises `MediaRefused` or `MediaUnavailable`."""
        if kind not in RULES:
            raise MediaRefused(f"{kind} has no file")
        place = media.media_id or media.url or ""
        lock = self._locks.setdefault(place, asyncio.Lock())
        async with lock:  # who wants the same file at the same time waits for the first
            found = await (self._named(place) if media.media_id else self._fetched(place, kind))
        reason = objection(kind, found.type, found.size_bytes)
        if reason is not None:
            raise MediaRefused(reason)
        return replace(found, filename=media.filename or found.filename)

    async def _named(self, media_id: str) -> MediaFile:
        if media_id in self._cached:
            self._cached.move_to_end(media_id)
            return self._cached[media_id]
        try:
            described = await self._store.describe(media_id)
            if described is None:
                raise MediaRefused(f"there is no file {media_id} (any more)")
            data = await self._store.data(media_id)
        except FileNotFoundError:
            raise MediaRefused(f"there is no file {media_id} (any more)") from None
        except OSError as error:
            raise MediaUnavailable(f"the store of media does not answer: {type(error).__name__}") from None
        return self._remember(described, data)

    async def _fetched(self, url: str, kind: str) -> MediaFile:
        if url in self._kept_as:
            return await self._named(self._kept_as[url])
        data = await self._fetcher.fetch(url, RULES[kind].bytes_max, FETCH_SECONDS)
        described = await self._store.keep(data, None)
        self._kept_as[url] = described.media_id
        return self._remember(described, data)

    def _remember(self, described: MediaInfo, data: bytes) -> MediaFile:
        kept = MediaFile(
            described.media_id, described.type, described.filename, described.size_bytes, described.sha256, data
        )
        self._cached[kept.media_id] = kept
        while len(self._cached) > 1 and sum(each.size_bytes for each in self._cached.values()) > self._cache_bytes_max:
            self._cached.popitem(last=False)
        while len(self._kept_as) > 1_000:
            self._kept_as.popitem(last=False)
        return kept


def _opened(place: str) -> ObjectStore:
    kind, _, rest = place.partition(":")
    if kind != "file":
        return from_url(place)
    return LocalStore(Path(rest).absolute(), mkdir=True)
