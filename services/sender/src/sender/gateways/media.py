"""Media source: where drivers get the files of messages. `spreader.media.store.Media` implements it."""

from typing import Protocol

from spreader.contract.content import Media


class MediaFile(Protocol):
    """A file whose type was detected from its bytes."""

    @property
    def type(self) -> str: ...
    @property
    def filename(self) -> str | None: ...
    @property
    def sha256(self) -> str: ...
    @property
    def data(self) -> bytes: ...


class MediaSource(Protocol):
    async def file(self, media: Media, kind: str) -> MediaFile:
        """Raises `MediaRefused` (the file can never be sent) or `MediaUnavailable` (try again later)."""
        ...
