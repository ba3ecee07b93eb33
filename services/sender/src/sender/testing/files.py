"""Memory files: a media source and an upload store for tests, both in memory."""

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta

from spreader.contract.content import Media
from spreader.media.safe_fetch import MediaRefused, MediaUnavailable
from spreader.media.store import MediaFile


def media_file(type_: str, data: bytes, filename: str | None = None) -> MediaFile:
    sha256 = hashlib.sha256(data).hexdigest()
    return MediaFile(f"med_{sha256[:32]}", type_, filename, len(data), sha256, data)


TYPES = {
    "image": media_file("image/png", b"a picture"),
    "voice": media_file("audio/ogg", b"a voice"),
    "document": media_file("application/pdf", b"a page", "offer.pdf"),
    "video": media_file("video/mp4", b"a film"),
}


@dataclass
class MemoryMedia:
    """Returns one file for each kind of content; raises `error` instead if it is set."""

    files: dict[str, MediaFile] = field(default_factory=lambda: dict(TYPES))
    error: MediaUnavailable | MediaRefused | None = None

    async def file(self, media: Media, kind: str) -> MediaFile:
        if self.error is not None:
            raise self.error
        return self.files[kind]


@dataclass
class MemoryUploads:
    """An upload store whose uploads never grow old."""

    ids: dict[tuple[str, str, str], str] = field(default_factory=dict[tuple[str, str, str], str])

    async def upload_id(self, account: str, sha256: str, mime_type: str, younger_than: timedelta) -> str | None:
        return self.ids.get((account, sha256, mime_type))

    async def keep(self, account: str, sha256: str, mime_type: str, upload_id: str) -> None:
        self.ids[account, sha256, mime_type] = upload_id

    async def forget(self, account: str, upload_id: str) -> None:
        self.ids = {key: kept for key, kept in self.ids.items() if (key[0], kept) != (account, upload_id)}
