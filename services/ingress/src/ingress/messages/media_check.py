"""Media check: examines the file of a message before the message is accepted, and stores the file for the sender."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import structlog
from pydantic import BaseModel

from ingress.messages.spooled_file import spooled_file
from spreader.clock import Now
from spreader.contract.configuration import Package
from spreader.contract.content import Media
from spreader.contract.events import Lane, OpenOptions
from spreader.http.problems import Problem, invalid
from spreader.media.safe_fetch import MediaDownloader, MediaRefused, MediaUnavailable
from spreader.media.store import MediaInfo, MediaStore
from spreader.media.types import RULES, objection

log = structlog.get_logger()

F = TypeVar("F", bound=BaseModel)

DOWNLOAD_SECONDS: Mapping[Lane, float] = {"open": 20.0, "reply": 5.0}
"""How long a download may take. It is shorter for a reply, because a customer waits for the reply."""


@dataclass(frozen=True, slots=True)
class MediaCheck:
    store: MediaStore
    downloader: MediaDownloader
    now: Now
    keep: timedelta
    """How long a file is kept after its last use."""

    async def store_media(self, package: Package, lane: Lane, form: F) -> F:
        """Returns the form with the id of the stored file in place of a URL. Raises the problem `invalid` if the file
        cannot be sent.

        If the URL is unreachable now, it stays in the form, and the sender downloads the file later.
        """
        media: Media | None = getattr(form, "media", None)
        if media is None:
            return form
        self._check_schedule(form)
        kind: str = getattr(form, "type", "")
        if media.media_id is not None:
            await self._check_stored(media.media_id, kind)
            return form
        file = await self._download(package, lane, media.url or "", kind)
        if file is None:
            return form
        return form.model_copy(update={"media": Media(media_id=file.media_id, filename=media.filename)})

    def _check_schedule(self, form: BaseModel) -> None:
        options: OpenOptions | None = getattr(form, "options", None)
        due, kept_until = options.earliest if options else None, self.now() + self.keep
        if due is not None and due > kept_until:
            field = "schedule_at" if options and options.schedule_at else "schedule_local"
            until = f"{kept_until:%Y-%m-%d %H:%M} UTC"
            detail = f"files are kept for {self.keep.days} days, until {until}: choose an earlier time"
            raise invalid(f"/options/{field}", "media_expires", detail)

    async def _check_stored(self, media_id: str, kind: str) -> None:
        file = await self.store.info(media_id)
        if file is None:
            detail = "no file with this id is stored; it may have been deleted. Upload it with POST /api/v1/media"
            raise invalid("/media/media_id", "unknown", detail)
        reason = objection(kind, file.type, file.size_bytes)
        if reason is not None:
            raise invalid("/media/media_id", "media", reason)
        await self.store.mark_used(file)

    async def _download(self, package: Package, lane: Lane, url: str, kind: str) -> MediaInfo | None:
        """Download the file at `url` and store it.

        Returns None if the file is unreachable now. Also returns None, without a download, if the package has only
        simulator profiles.
        """
        try:
            if all(profile.gateway.driver == "simulator" for profile in package.profiles):
                await self.downloader.address_filter.addresses(url)  # raises MediaRefused for a forbidden address
                return None
            file = await self._fetch(url, RULES[kind].bytes_max, DOWNLOAD_SECONDS[lane])
        except MediaRefused as error:
            raise _url_problem(str(error)) from None
        except MediaUnavailable as error:
            log.info("cannot download a media file now; the sender will try again", reason=str(error))
            return None
        reason = objection(kind, file.type, file.size_bytes)
        if reason is not None:
            raise _url_problem(reason)
        return file

    async def _fetch(self, url: str, bytes_max: int, seconds: float) -> MediaInfo:
        spooled = spooled_file()
        try:
            size_bytes = await self.downloader.fetch_to(spooled.write, url, bytes_max, seconds)
            await spooled.seek(0)
            return await self.store.put_from(spooled.read, size_bytes, None)
        finally:
            await spooled.close()


def _url_problem(reason: str) -> Problem:
    return invalid("/media/url", "media", reason)
