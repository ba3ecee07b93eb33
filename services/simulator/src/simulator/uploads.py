"""Uploads: media files that a sender uploads to a business's account before it sends them.

An upload expires after 30 days, as at Meta. The simulator stores a hash of each file, but not its content.
"""

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from simulator.journal import Journal

LIFETIME = timedelta(days=30)
ID_FIRST = 4_490_000_000_000_000


@dataclass(frozen=True, slots=True)
class Upload:
    media_id: str
    account: str
    type: str
    sha256: str
    size_bytes: int
    at: str

    @property
    def expires_at(self) -> datetime:
        return datetime.fromisoformat(self.at) + LIFETIME


class MediaUploads:
    """All uploads by media id, in memory and in a file."""

    def __init__(self, home: Path) -> None:
        self._journal = Journal(home / "uploads.jsonl")
        self._uploads: dict[str, Upload] = {}

    def open(self) -> None:
        self._uploads.clear()
        self._journal.open(lambda _offset, line: self._add(Upload(**json.loads(line))))

    def close(self) -> None:
        self._journal.close()

    def add(self, account: str, media_type: str, sha256: str, size_bytes: int, now: datetime) -> Upload:
        media_id = str(ID_FIRST + len(self._uploads) + 1)
        upload = Upload(media_id, account, media_type, sha256, size_bytes, now.isoformat())
        self._journal.append(json.dumps(asdict(upload), separators=(",", ":")).encode())
        self._add(upload)
        return upload

    def find(self, account: str, media_id: str, now: datetime) -> Upload | None:
        """The upload with this media id. None if it is unknown, belongs to another account, or has expired."""
        upload = self._uploads.get(media_id)
        return upload if upload and upload.account == account and now < upload.expires_at else None

    def _add(self, upload: Upload) -> None:
        self._uploads[upload.media_id] = upload
