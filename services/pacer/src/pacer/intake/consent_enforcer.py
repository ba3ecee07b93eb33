"""Heeding: ends what is held for those who must not be written to, as soon as that is known.

A package that begins to write only to who has opted in is looked through once (and at a start, since nobody knows how
far the last process came). What is decided by an absence waits until all changes of consent up to now are read: else
somebody who opted in a moment ago would be taken for one who has not.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from pacer.config_cache import PacerConfigCache
from pacer.sql import stops as stops
from spreader.consent import NOT_OPTED_IN, SUPPRESSED, ConsentTable, wait_until_consents_consumed
from spreader.contract.events import ConsentChanged
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.offset_store import Deduplicator
from spreader.kafka.read_barrier import ReadProgress

log = structlog.get_logger()

CONSENTS = ConsentTable("pacer")
CONSENT_SECONDS = 5.0
ROWS_MAX = 10_000
IDLE_SECONDS = 60.0


@dataclass
class Heeding:
    engine: AsyncEngine
    directory: PacerConfigCache
    progress: ReadProgress
    tell: Callable[[], None]
    """Wakes the announcer: there is news."""
    wait_seconds: float = CONSENT_SECONDS
    _only: set[str] = field(default_factory=set[str], init=False)
    """The packages of which it is known that they write only to who has opted in."""
    _unseen: set[str] = field(default_factory=set[str], init=False)
    """Those among them of which something may be held that was not looked through."""

    def configured(self, package_id: str) -> None:
        """The package may have been changed."""
        if not self._is_strict(package_id):
            self._only.discard(package_id)
        elif package_id not in self._only:
            self._only.add(package_id)
            self._unseen.add(package_id)

    async def strict(self, package_ids: Collection[str]) -> frozenset[str]:
        """Those that write only to who has opted in, with all opt-ins known here; none where that takes too long."""
        found = frozenset(filter(self._is_strict, package_ids))
        return found if found and await self._consents_are_consumed() else frozenset()

    def held_unchecked(self, package_ids: Collection[str]) -> bool:
        """Deliveries of these are held now whatever the opt-ins; answers whether they must be looked through."""
        missed = set(filter(self._is_strict, package_ids))
        self._unseen |= missed
        return bool(missed)

    async def change(self, positions: Deduplicator, batch: Sequence[Received[ConsentChanged]]) -> None:
        """Stop what is held for those who must not be written to any more, and what may still come for them."""
        async with self.engine.begin() as connection:
            fresh = await positions.unseen(connection, batch)
            await connection.execute(stops.STOPS_CHANGE)
            changes = await CONSENTS.fold(connection, [each.event for each in fresh])
            ended = {
                SUPPRESSED: [each for each in changes if each.kind == "suppression" and each.listed],
                NOT_OPTED_IN: [each for each in changes if each.kind == "opt_in" and not each.listed
                               and self._is_strict(each.package_id)],
            }  # fmt: skip
            for reason, those in ended.items():
                if those:
                    places = {
                        "package_ids": [each.package_id for each in those],
                        "recipients": [each.recipient for each in those],
                    }
                    await connection.execute(stops.SUPPRESS_HELD, {**places, "reason": reason})
        self.tell()

    async def turn(self) -> float:
        """Look through what is held of packages that began to write only to who has opted in."""
        looked = {each for each in self._unseen if self._is_strict(each)}
        if not looked:
            self._unseen.clear()
            return IDLE_SECONDS
        if not await self._consents_are_consumed():
            return 0
        self._unseen -= looked  # what is held unchecked from now on is looked through again
        ended = ROWS_MAX
        try:
            ended = await self._end_held(looked)
        finally:
            if ended == ROWS_MAX:
                self._unseen |= looked
        if ended:
            self.tell()
        return 0

    async def _end_held(self, package_ids: Collection[str]) -> int:
        async with self.engine.begin() as connection:
            await connection.execute(stops.STOPS_CHANGE)
            asked = {"package_ids": sorted(package_ids), "reason": NOT_OPTED_IN, "rows": ROWS_MAX}
            return (await connection.execute(stops.SUPPRESS_NOT_OPTED_IN, asked)).rowcount

    def _is_strict(self, package_id: str) -> bool:
        package = self.directory.package(package_id)
        return package is not None and package.opted_in_only

    async def _consents_are_consumed(self) -> bool:
        consumed = await wait_until_consents_consumed(self.progress, self.wait_seconds)
        if not consumed:
            log.warning("opt-ins are not enforced yet: consent changes are still unread; trying again")
        return consumed
