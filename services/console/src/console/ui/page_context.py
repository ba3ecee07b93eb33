"""Desk: what a page has at hand: who is signed in, what services said, and how to ask them for something."""

from collections.abc import Sequence
from dataclasses import dataclass

from console.core.api_models import Alerts, Package, Packages, Profile, Profiles, States
from console.core.last_answer import Reading
from console.core.queue import Queue
from console.core.stale_notice import Part, notices
from console.data.api import Api
from console.data.polling_cache import Feed, Question, T
from console.data.sessions import Session, Sessions
from console.ui.uploads import Uploads
from spreader.clock import Now

PACKAGES = Question("ingress", "/packages", Packages, all_pages=True)
STATES = Question("stats", "/profiles", States)
ALERTS = Question("stats", "/alerts?state=open&limit=200", Alerts, every_seconds=2.0)

_WHO = {"ingress": "The ingress gives", "stats": "The stats give"}


def queue_of(package_id: str, every_seconds: float = 1.0) -> Question[Queue]:
    return Question("ingress", f"/packages/{package_id}/queue", Queue, every_seconds)


def profiles_of(package_id: str) -> Question[Profiles]:
    return Question("ingress", f"/packages/{package_id}/profiles", Profiles, all_pages=True)


@dataclass(frozen=True, slots=True)
class Desk:
    session: Session
    sessions: Sessions
    feed: Feed
    now: Now
    """The system's clock, which may run faster than the wall's."""
    wall: Now
    uploads: Uploads

    @property
    def api(self) -> Api:
        return self.feed.api

    @property
    def is_signed_in(self) -> bool:
        return self.sessions.holds(self.session)

    def look(self, question: Question[T]) -> T | None:
        return self.feed.look(question).value

    def package(self, package_id: str) -> Package | None:
        known = self.look(PACKAGES)
        return next((each for each in known.data if each.package_id == package_id), None) if known else None

    def profiles(self, package_id: str) -> Sequence[Profile]:
        known = self.look(profiles_of(package_id))
        return known.data if known else ()

    def part(self, question: Question[T], what: str) -> Part:
        reading: Reading[T | None] = self.feed.look(question)
        return Part(_WHO[question.service], what, reading, question.every)

    def notices(self, *parts: Part) -> tuple[str, ...]:
        return notices(parts, self.wall())

    def is_old(self, question: Question[T]) -> bool:
        return not self.feed.look(question).is_fresh(self.wall(), question.every)
