"""Consent enforcer: suppresses held deliveries to recipients who opted out, or who did not opt in although the package
requires it.

When a package begins to require opt-ins, its held deliveries are checked once. They are also checked after a start,
because the last process may not have finished its check. A missing opt-in counts only when the consent topic is fully
consumed. Before that, a recipient who opted in seconds ago would seem not to have opted in.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from pacer.config_cache import PacerConfigCache
from pacer.sql import stops
from spreader.consent import NOT_OPTED_IN, SUPPRESSED, ConsentTable, wait_until_consents_consumed
from spreader.contract.events import ConsentChanged
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.offset_store import Deduplicator
from spreader.kafka.read_barrier import ReadProgress
from spreader.runtime.rows import arrays

log = structlog.get_logger()

CONSENTS = ConsentTable("pacer")
CONSENT_SECONDS = 5.0
"""The longest wait for the consent topic to be consumed, in wall seconds. After that, the check is tried again."""
ROWS_MAX = 10_000
"""The most deliveries that one transaction ends."""
IDLE_SECONDS = 60.0


@dataclass
class ConsentEnforcer:
    engine: AsyncEngine
    config: PacerConfigCache
    progress: ReadProgress
    wake_relay: Callable[[], None]
    wait_seconds: float = CONSENT_SECONDS
    _opted_in_only: set[str] = field(default_factory=set[str], init=False)
    """The packages that require opt-ins, by the last call of `on_configured`."""
    _to_check: set[str] = field(default_factory=set[str], init=False)
    """Packages that require opt-ins, and may hold deliveries whose opt-ins were not checked."""

    def on_configured(self, package_id: str) -> None:
        """The package may have changed: if it begins to require opt-ins, plan a check of its held deliveries."""
        if not self._requires_opt_in(package_id):
            self._opted_in_only.discard(package_id)
        elif package_id not in self._opted_in_only:
            self._opted_in_only.add(package_id)
            self._to_check.add(package_id)

    async def enforceable(self, package_ids: Collection[str]) -> frozenset[str]:
        """The packages among these that require opt-ins; empty if the consent topic is not consumed within
        `wait_seconds`."""
        requiring = frozenset(filter(self._requires_opt_in, package_ids))
        return requiring if requiring and await self._consents_are_consumed() else frozenset()

    def add_unchecked(self, package_ids: Collection[str]) -> bool:
        """Record that deliveries of these packages were held without a check of opt-ins; returns whether any of the
        packages requires one."""
        unchecked = set(filter(self._requires_opt_in, package_ids))
        self._to_check |= unchecked
        return bool(unchecked)

    async def apply(self, deduplicator: Deduplicator, batch: Sequence[Received[ConsentChanged]]) -> None:
        """Store changes of consent, and end the held deliveries that they forbid."""
        async with self.engine.begin() as connection:
            unseen = await deduplicator.unseen(connection, batch)
            await connection.execute(stops.STOPS_LOCK)
            changes = await CONSENTS.fold(connection, [record.event for record in unseen])
            suppressed = [change for change in changes if change.kind == "suppression" and change.listed]
            opted_out = [
                change
                for change in changes
                if change.kind == "opt_in" and not change.listed and self._requires_opt_in(change.package_id)
            ]
            for reason, ending in ((SUPPRESSED, suppressed), (NOT_OPTED_IN, opted_out)):
                if ending:
                    recipients = [stops.StoppedRecipient(change.package_id, change.recipient) for change in ending]
                    params = {**arrays(stops.StoppedRecipient, recipients), "reason": reason}
                    await connection.execute(stops.SUPPRESS_HELD, params)
        self.wake_relay()

    async def enforce(self) -> float:
        """Check held deliveries of packages that require opt-ins; returns the wall seconds until the next check."""
        package_ids = {package_id for package_id in self._to_check if self._requires_opt_in(package_id)}
        if not package_ids:
            self._to_check.clear()
            return IDLE_SECONDS
        if not await self._consents_are_consumed():
            return 0  # no pause: the check has waited for the topic already
        self._to_check -= package_ids  # before the check: `add_unchecked` may add a package again during it
        ended = ROWS_MAX  # if the check raises an error, the packages are checked again, as after a full batch
        try:
            ended = await self._end_held(package_ids)
        finally:
            if ended == ROWS_MAX:
                self._to_check |= package_ids
        if ended:
            self.wake_relay()
        return 0

    async def _end_held(self, package_ids: Collection[str]) -> int:
        async with self.engine.begin() as connection:
            await connection.execute(stops.STOPS_LOCK)
            params = {"package_ids": sorted(package_ids), "reason": NOT_OPTED_IN, "rows": ROWS_MAX}
            return (await connection.execute(stops.SUPPRESS_NOT_OPTED_IN, params)).rowcount

    def _requires_opt_in(self, package_id: str) -> bool:
        package = self.config.package(package_id)
        return package is not None and package.opted_in_only

    async def _consents_are_consumed(self) -> bool:
        consumed = await wait_until_consents_consumed(self.progress, self.wait_seconds)
        if not consumed:
            log.warning("opt-ins are not enforced yet: consent changes are still unread; trying again")
        return consumed
