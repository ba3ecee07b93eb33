"""Files: a store of media for tests, and a store of uploads, both in memory."""

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta

from spreader.contract.content import Media as Place
from spreader.media.safe_fetch import MediaRefused, MediaUnavailable


@dataclass(frozen=True, slots=True)
class File:
    type: str
    data: bytes
    filename: str | None = None

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


TYPES = {
    "image": File("image/png", b"a picture"),
    "voice": File("audio/ogg", b"a voice"),
    "document": File("application/pdf", b"a page", "offer.pdf"),
    "video": File("video/mp4", b"a film"),
}


@dataclass
class Files:
    """Has a file for each kind; `error` is raised instead."""

    files: dict[str, File] = field(default_factory=lambda: dict(TYPES))
    error: MediaUnavailable | MediaRefused | None = None

    async def file(self, media: Place, kind: str) -> File:
        if self.error is not None:
            raise self.error
        return self.files[kind]


@dataclass
class MemoryUploads:
    """The store of uploads; in it nothing grows old."""

    names: dict[tuple[str, str, str], str] = field(default_factory=dict[tuple[str, str, str], str])

    async def name(self, account: str, sha256: str, kind: str, younger_than: timedelta) -> str | None:
        return self.names.get((account, sha256, kind))

    async def keep(self, account: str, sha256: str, kind: str, name: str) -> None:
        self.names[account, sha256, kind] = name

    async def forget(self, account: str, name: str) -> None:
        self.names = {key: kept for key, kept in self.names.items() if (key[0], kept) != (account, name)}
