"""Outcome requests: finds releases whose outcomes have not arrived, and asks the sender about them.

A release without an outcome counts against the limits, and as one of the package's concurrent sends. So lost outcomes
would stop a package for good. An outcome is lost if its record went to the dead letter topic, or if the sender's
database was restored from an older copy. It is also lost if the sender was away for longer than Kafka keeps records.
The sender publishes the lost outcome again (`sender.ledger.lost_outcomes`), and this settles the release like any other
outcome.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from pacer.intake.waiting_profiles import Answered, wake_waiting
from pacer.metrics import WITHOUT_OUTCOME
from pacer.sql import contacts, intake
from pacer.sql.contacts import ReleaseKey
from pacer.sql.database_clock import system_now
from pacer.sql.overdue_outcomes import OVERDUE_RELEASES, OverdueRelease
from spreader.clock import Clock
from spreader.contract.answers import RequestSummary
from spreader.http.service_client import ServiceClient, ServiceUnavailable
from spreader.runtime.rows import arrays, fetched

log = structlog.get_logger()

LOOK_SECONDS = 60.0
ROWS_MAX = 500
ASK_SECONDS = 15.0
ASK_NOW_AFTER = timedelta(minutes=5)
"""When an operator asks, the pacer asks the sender about all releases that are older than this (in wall time). No call
of a gateway takes so long."""
Place = tuple[str, int]
"""A profile and the number of a release."""
BEGINNING: Place = ("", 0)


@dataclass
class OutcomeRequests:
    """`wait`: the wall time after which an outcome is overdue."""

    engine: AsyncEngine
    clock: Clock
    sender: ServiceClient
    wait: timedelta
    _after: Place = field(default=BEGINNING, init=False)
    """The last release of the previous batch. The next batch begins after it. Otherwise releases that are still in
    progress would hide those behind them."""
    _found: int = field(default=0, init=False)

    async def look(self) -> float:
        """Asks about one batch of overdue releases; returns the wall seconds until the next batch."""
        releases = await self.overdue(self._after)
        summary = await self.ask(releases)
        self._found += len(releases)
        if summary.unavailable is None and len(releases) == ROWS_MAX:
            self._after = place_of(releases[-1])
            return 0
        WITHOUT_OUTCOME.set(self._found)
        self._found, self._after = 0, BEGINNING
        return LOOK_SECONDS

    async def ask_now(self, package_id: str) -> RequestSummary:
        """Asks the sender about all releases of a package that have waited for longer than ASK_NOW_AFTER."""
        total, after = RequestSummary(), BEGINNING
        while releases := await self.overdue(after, ASK_NOW_AFTER, package_id):
            total, after = total.plus(await self.ask(releases)), place_of(releases[-1])
            if total.unavailable is not None:
                break
        return total

    async def overdue(
        self, after: Place = BEGINNING, wait: timedelta | None = None, package_id: str | None = None
    ) -> Sequence[OverdueRelease]:
        """The next batch of overdue releases, beginning behind the place `after`."""
        async with self.engine.connect() as connection:
            before = await system_now(connection, self.clock) - self.clock.system(wait or self.wait)
            params = {
                "before": before,
                "profile_id": after[0],
                "number": after[1],
                "package_id": package_id,
                "rows": ROWS_MAX,
            }
            return fetched(OverdueRelease, await connection.execute(OVERDUE_RELEASES, params))

    async def ask(self, releases: Sequence[OverdueRelease]) -> RequestSummary:
        """Asks the sender about these releases, and frees those that no delivery waits for any more."""
        if not releases:
            return RequestSummary()
        moved_on = [release for release in releases if release.message_id is None]
        if moved_on:
            await self._free(moved_on)
        questions = [_question(release) for release in releases if release.message_id is not None]
        response = (
            await self.sender.query("/releases/outcomes", {"releases": questions}, ASK_SECONDS) if questions else {}
        )
        summary = _summary(len(releases), len(moved_on), response)
        log.warning(
            "releases had no outcome; the sender was asked"
            if summary.unavailable is None
            else "releases have no outcome and the sender cannot be asked; the next try follows",
            overdue=summary.overdue,
            freed=summary.freed,
            reported=summary.reported,
            in_progress=summary.in_progress,
            reason=summary.unavailable,
        )
        return summary

    async def _free(self, releases: Sequence[OverdueRelease]) -> None:
        keys = [ReleaseKey(release.profile_id, release.number) for release in releases]
        async with self.engine.begin() as connection:
            params = {**arrays(ReleaseKey, keys), "now": await system_now(connection, self.clock)}
            await connection.execute(contacts.CONTACT_SETTLE, params)
            await connection.execute(intake.RELEASE_SETTLE, params)
        packages, profiles = {release.package_id for release in releases}, {release.profile_id for release in releases}
        await wake_waiting(self.engine, self.clock, Answered(packages, profiles))


def place_of(release: OverdueRelease) -> Place:
    return release.profile_id, release.number


def _question(release: OverdueRelease) -> dict[str, object]:
    return {
        "package_id": release.package_id,
        "message_id": release.message_id,
        "delivery_id": release.delivery_id,
        "recipient": release.recipient,
        "profile_id": release.profile_id,
        "attempt": release.attempt,
        "release": release.number,
    }


def _summary(overdue: int, freed: int, response: object) -> RequestSummary:
    match response:
        case {"reported": int(reported), "in_progress": int(in_progress)}:
            return RequestSummary(overdue, freed, reported, in_progress)
        case ServiceUnavailable(reason):
            return RequestSummary(overdue, freed, unavailable=reason)
        case None:
            return RequestSummary(overdue, freed, unavailable="this version of the sender cannot be asked")
        case _:
            return RequestSummary(overdue, freed)
