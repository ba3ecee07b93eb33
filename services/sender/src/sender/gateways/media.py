"""Media: the files of messages, as the drivers need them: `spreader.media.Media` is the real part."""

from typing import Protocol

from spreader.contract.content import Media as Place


class File(Protocol):
    """A file that was looked at: its bytes, and what they are."""

    @property
    def type(self) -> str: ...
    @property
    def filename(self) -> str | None: ...
    @property
    def sha256(self) -> str: ...
    @property
    def data(self) -> bytes: ...


class Media(Protocol):
    async def file(self, media: Place, kind: str) -> File:
        """Raises `MediaRefused` (never) or `MediaAway` (not now)."""
        ...
