"""Rescheduler: makes profiles due again when their settings or state have changed, whatever they wait for.

Changes are noted in memory and written before the next release pass. A change that could not be written stays noted, so
no change is lost while the database is unavailable.

When a package's recipient rules change, its parked deliveries are brought back. Each of them gets back the earliest
release time that it had before it was parked. The rescheduler compares the rules with those that it saw last. After a
start, it compares the current rules with the stored ones, because the settings may have changed while no pacer ran. One
pass brings back at most ROWS_MAX deliveries of a package. When all of them are back, the new rules are stored.
"""

from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncEngine

from pacer.core.recipient_hours import recipient_rules
from pacer.core.waiting_queue import waiting_queue
from pacer.sql import reschedule as sql
from pacer.sql.database_clock import system_now
from spreader.clock import Clock
from spreader.contract.configuration import Package
from spreader.runtime.rows import arrays

ROWS_MAX = 5_000


@dataclass
class Rescheduler:
    engine: AsyncEngine
    _to_wake: set[str] = field(default_factory=set[str], init=False)
    """Packages whose profiles become due."""
    _profiles_to_wake: set[str] = field(default_factory=set[str], init=False)
    _able_in: set[str] = field(default_factory=set[str], init=False)
    """Packages in which a profile can send after its state changed."""
    _rules: dict[str, str] = field(default_factory=dict[str, str], init=False)
    """The recipient rules of each package that this process has seen, as text."""
    _to_compare: set[str] = field(default_factory=set[str], init=False)
    """Packages seen for the first time, whose rules are to be compared with the stored ones."""
    _to_unpark: dict[str, str] = field(default_factory=dict[str, str], init=False)
    """Packages whose rules changed, with the new rules."""

    def on_state_changed(self, package_id: str, profile_id: str, can_send: bool) -> None:
        """The state of a profile changed, so the profile becomes due. If it can send now, the package's waiting queue
        and its blocked profiles become due too, because this profile may get their deliveries."""
        self._profiles_to_wake.add(profile_id)
        if can_send:
            self._profiles_to_wake.add(waiting_queue(package_id))
            self._able_in.add(package_id)

    def on_configured(self, package_id: str, package: Package | None) -> None:
        """The package's settings may have changed; None: it was deleted."""
        self._to_wake.add(package_id)
        if package is None:
            self._rules.pop(package_id, None)
            self._to_compare.discard(package_id)
            self._to_unpark.pop(package_id, None)
            return
        previous, rules = self._rules.get(package_id), str(recipient_rules(package))
        self._rules[package_id] = rules
        if previous is None:
            self._to_compare.add(package_id)
        elif previous != rules:
            self._to_unpark[package_id] = rules

    async def write(self, clock: Clock) -> None:
        """Write the changes that were noted since the last call."""
        if self._to_wake or self._profiles_to_wake:
            await self._wake(clock)
        if self._to_compare:
            await self._compare()
        for package_id, rules in sorted(self._to_unpark.items()):
            await self._unpark(package_id, rules)

    async def _wake(self, clock: Clock) -> None:
        package_ids, profile_ids, able_in = self._to_wake, self._profiles_to_wake, self._able_in
        self._to_wake, self._profiles_to_wake, self._able_in = set(), set(), set()
        try:
            async with self.engine.begin() as connection:
                params = {
                    "package_ids": sorted(package_ids),
                    "profile_ids": sorted(profile_ids),
                    "able_in": sorted(able_in),
                    "now": await system_now(connection, clock),
                }
                await connection.execute(sql.PROFILES_WAKE, params)
        except BaseException:
            self._to_wake |= package_ids
            self._profiles_to_wake |= profile_ids
            self._able_in |= able_in
            raise

    async def _compare(self) -> None:
        """Compare the rules seen for the first time with the stored ones. The rules of new packages are stored."""
        package_ids = sorted(self._to_compare)
        rows = [sql.PackageRules(package_id, self._rules[package_id]) for package_id in package_ids]
        params = arrays(sql.PackageRules, rows)
        async with self.engine.begin() as connection:
            await connection.execute(sql.RECIPIENT_RULES_INSERT, params)
            changed = (await connection.execute(sql.RECIPIENT_RULES_CHANGED, params)).scalars().all()
        self._to_compare.difference_update(package_ids)
        for package_id in changed:
            if (rules := self._rules.get(package_id)) is not None:  # the package may have been deleted
                self._to_unpark[package_id] = rules

    async def _unpark(self, package_id: str, rules: str) -> None:
        """Bring back one batch of the package's parked deliveries. After the last batch, store the rules.

        The batch locks only deliveries. If it also locked profiles or packages, it could deadlock with a release pass,
        which locks them before deliveries.
        """
        params = {"package_id": package_id, "rows": ROWS_MAX}
        async with self.engine.begin() as connection:
            unparked = (await connection.execute(sql.UNPARK, params)).rowcount
        if unparked:
            self._to_wake.add(package_id)
        if unparked == ROWS_MAX:
            return
        async with self.engine.begin() as connection:
            await connection.execute(sql.RECIPIENT_RULES_STORE, {"package_id": package_id, "rules": rules})
        if self._to_unpark.get(package_id) == rules:
            del self._to_unpark[package_id]
