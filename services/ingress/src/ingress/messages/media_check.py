"""Attaching: the file that a message names is looked at before the message is accepted, and kept for the sender."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import structlog
from pydantic import BaseModel

from spreader.contract.configuration import Package
from spreader.contract.content import Media as Place
from spreader.contract.events import Lane
from spreader.http.problems import Problem, invalid
from spreader.media.safe_fetch import MediaDownloader, MediaRefused, MediaUnavailable
from spreader.media.store import MediaInfo, MediaStore
from spreader.media.types import RULES, objection

log = structlog.get_logger()

F = TypeVar("F", bound=BaseModel)

SECONDS: Mapping[Lane, float] = {"open": 20.0, "reply": 5.0}
"""How long a file at an address may take: for a reply a customer waits."""


@dataclass(frozen=True, slots=True)
class Attaching:
    store: MediaStore
    fetcher: MediaDownloader

    async def attach(self, package: Package, lane: Lane, form: F) -> F:
        """The form with the name of the kept file in place of its address; raises the problem.

        An address that cannot be reached for now stays as it is: the sender tries again when it sends.
        """
        place: Place | None = getattr(form, "media", None)
        if place is None:
            return form
        kind: str = getattr(form, "type", "")
        if place.media_id is not None:
            await self._named(place.media_id, kind)
            return form
        described = await self._fetched(package, lane, place.url or "", kind)
        if described is None:
            return form
        kept = Place(media_id=described.media_id, filename=place.filename)
        return form.model_copy(update={"media": kept})

    async def _named(self, media_id: str, kind: str) -> None:
        described = await self.store.describe(media_id)
        if described is None:
            raise invalid("/media/media_id", "unknown", "there is no such file (any more): POST /api/v1/media first")
        reason = objection(kind, described.type, described.size_bytes)
        if reason is not None:
            raise invalid("/media/media_id", "media", reason)
        await self.store.use(described)

    async def _fetched(self, package: Package, lane: Lane, url: str, kind: str) -> MediaInfo | None:
        try:
            if all(profile.gateway.driver == "simulator" for profile in package.profiles):
                await self.fetcher.guard.addresses(url)  # nobody reads the file there
                return None
            data = await self.fetcher.fetch(url, RULES[kind].bytes_max, SECONDS[lane])
            described = await self.store.keep(data, None)
        except MediaRefused as refused:
            raise _refused(str(refused)) from None
        except MediaUnavailable as away:
            log.info("a file cannot be had for now; the sender will try again", reason=str(away))
            return None
        reason = objection(kind, described.type, described.size_bytes)
        if reason is not None:
            raise _refused(reason)
        return described


def _refused(reason: str) -> Problem:
    return invalid("/media/url", "media", reason)
