"""Consent enforcer: suppresses held deliveries to recipients who opted out, or who did not opt in although the package
requires it.

The enforcer stores each change of consent, and with it the recipients whose held deliveries must end. The stopper then
ends these deliveries.

When a package begins to require opt-ins, its held deliveries are checked once. They are also checked after a start,
because the previous process may not have finished its check. The check goes through the held deliveries in pieces, one
transaction for each piece. A missing opt-in counts only when the consent topic is fully consumed. Before that, a
recipient who opted in seconds ago would seem not to have opted in.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from pacer.config_cache import PacerConfigCache
from pacer.intake.stopper import LOCKED_SECONDS, PIECE_ROWS, end_held
from pacer.sql import stops
from spreader.consent import NOT_OPTED_IN, SUPPRESSED, ConsentTable, wait_until_consents_consumed
from spreader.contract.events import ConsentChanged
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.offset_store import Deduplicator
from spreader.kafka.read_barrier import ReadProgress
from spreader.phone.canonical import spellings
from spreader.runtime.rows import arrays, fetched

log = structlog.get_logger()

CONSENTS = ConsentTable("pacer")
CONSENT_SECONDS = 5.0
"""The longest wait for the consent topic to be consumed, in wall seconds. After that, the check is tried again."""
IDLE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Walk:
    """A check in progress: the packages, and the place of the last held delivery that was examined."""

    package_ids: frozenset[str]
    recipient: str = ""
    profile_id: str = ""
    delivery_id: str = ""


@dataclass
class ConsentEnforcer:
    engine: AsyncEngine
    config: PacerConfigCache
    progress: ReadProgress
    wake_relay: Callable[[], None]
    wait_seconds: float = CONSENT_SECONDS
    consents: ConsentTable = CONSENTS
    _opted_in_only: set[str] = field(default_factory=set[str], init=False)
    """The packages that require opt-ins, by the last call of `on_configured`."""
    _to_check: set[str] = field(default_factory=set[str], init=False)
    """Packages that require opt-ins, and may hold deliveries whose opt-ins were not checked."""
    _walk: Walk | None = field(default=None, init=False)

    def on_configured(self, package_id: str) -> None:
        """The package may have changed. If it begins to require opt-ins, plan a check of its held deliveries."""
        if not self._requires_opt_in(package_id):
            self._opted_in_only.discard(package_id)
        elif package_id not in self._opted_in_only:
            self._opted_in_only.add(package_id)
            self._to_check.add(package_id)

    async def enforceable(self, package_ids: Collection[str]) -> frozenset[str]:
        """Those of the given packages that require opt-ins. The result is empty if the consent topic is not fully
        consumed within `wait_seconds`."""
        requiring = frozenset(filter(self._requires_opt_in, package_ids))
        return requiring if requiring and await self._consents_are_consumed() else frozenset()

    def add_unchecked(self, package_ids: Collection[str]) -> bool:
        """Record that deliveries of these packages were held without a check of opt-ins; returns whether any of these
        packages requires opt-ins."""
        unchecked = set(filter(self._requires_opt_in, package_ids))
        self._to_check |= unchecked
        return bool(unchecked)

    async def apply(self, deduplicator: Deduplicator, batch: Sequence[Received[ConsentChanged]]) -> None:
        """Store changes of consent, and the recipients whose held deliveries they forbid."""
        async with self.engine.begin() as connection:
            unseen = await deduplicator.unseen(connection, batch)
            await connection.execute(stops.STOPS_LOCK)
            changes = await self.consents.fold(connection, [record.event for record in unseen])
            stopped = [row for change in changes if self._is_stop(change) for row in _stopped(change)]
            lifted = [row for change in changes if not _forbids(change) for row in _stopped(change)]
            if stopped:
                await connection.execute(stops.STOPPED_RECIPIENT_INSERT, arrays(stops.StoppedRecipient, stopped))
            if lifted:
                await connection.execute(stops.STOPPED_RECIPIENT_LIFT, arrays(stops.StoppedRecipient, lifted))

    async def enforce(self) -> float:
        """Check one piece of the held deliveries, for the packages that require opt-ins; returns the wall seconds until
        the next piece."""
        if self._walk is None:
            package_ids = frozenset(filter(self._requires_opt_in, self._to_check))
            if not package_ids:
                self._to_check.clear()
                return IDLE_SECONDS
            if not await self._consents_are_consumed():
                return 0  # no pause: the check has waited for the topic already
            await self._wait_for_intakes()
            self._to_check -= package_ids  # `add_unchecked` may add a package again during the walk
            self._walk = Walk(package_ids)
        return await self._end_piece(self._walk)

    async def _wait_for_intakes(self) -> None:
        """Wait until the intakes in progress have committed. Without this wait, the walk might not see their
        deliveries."""
        async with self.engine.begin() as connection:
            await connection.execute(stops.STOPS_LOCK)

    async def _end_piece(self, walk: Walk) -> float:
        params = {
            "package_ids": sorted(filter(self._requires_opt_in, walk.package_ids)),
            "recipient": walk.recipient,
            "profile_id": walk.profile_id,
            "delivery_id": walk.delivery_id,
            "rows": PIECE_ROWS,
        }
        async with self.engine.begin() as connection:
            await connection.execute(stops.NO_SORT)
            page = fetched(stops.HeldRecipient, await connection.execute(stops.HELD_RECIPIENTS, params))
            ends = [stops.DeliveryEnd(row.delivery_id, "suppressed", NOT_OPTED_IN) for row in page if row.is_stopped]
            ended = await end_held(connection, ends)
        if ended:
            self.wake_relay()
        done = list(takewhile(lambda row: not row.is_stopped or row.delivery_id in ended, page))
        if done:
            last = done[-1]
            self._walk = replace(
                walk, recipient=last.recipient, profile_id=last.profile_id, delivery_id=last.delivery_id
            )
        if len(done) < len(page):  # another transaction has locked the next one
            return LOCKED_SECONDS
        if len(page) < PIECE_ROWS:
            self._walk = None
        return 0

    def _is_stop(self, change: ConsentChanged) -> bool:
        """Whether the change ends held deliveries."""
        return _forbids(change) and (change.kind == "suppression" or self._requires_opt_in(change.package_id))

    def _requires_opt_in(self, package_id: str) -> bool:
        package = self.config.package(package_id)
        return package is not None and package.opted_in_only

    async def _consents_are_consumed(self) -> bool:
        consumed = await wait_until_consents_consumed(self.progress, self.wait_seconds)
        if not consumed:
            log.warning("opt-ins are not enforced yet: consent changes are still unread; trying again")
        return consumed


def _forbids(change: ConsentChanged) -> bool:
    """Whether the change forbids open messages: it adds a suppression or removes an opt-in."""
    return change.listed == (change.kind == "suppression")


def _stopped(change: ConsentChanged) -> list[stops.StoppedRecipient]:
    reason = SUPPRESSED if change.kind == "suppression" else NOT_OPTED_IN
    return [stops.StoppedRecipient(change.package_id, number, reason) for number in spellings(change.recipient)]
