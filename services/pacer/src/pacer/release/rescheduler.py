"""Waking: profiles whose settings or state have changed are looked at in the next turn, whatever they waited for."""

from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncEngine

from pacer.core.recipient_hours import recipient_rules
from pacer.sql import reschedule as sql
from spreader.contract.configuration import Package

ROWS_MAX = 5_000


@dataclass
class Waking:
    """What could not be written stays to be done: a setting is not in force later because the database was away.

    Deliveries that were put off for their recipient's sake come back to the queue where its rules have changed since
    this process saw the package last (what it put off itself it brings back itself), and where they are others than
    those kept beside the package when it sees it first (they changed while no pacer ran): some thousand in each turn,
    since they may be many. The new rules are kept when all have come.
    """

    engine: AsyncEngine
    _profiles_of: set[str] = field(default_factory=set[str], init=False)
    """The packages whose profiles are to be woken."""
    _rules: dict[str, str] = field(default_factory=dict[str, str], init=False)
    """What each package says of its recipients, as far as this process knows."""
    _to_compare: set[str] = field(default_factory=set[str], init=False)
    """The packages that it has seen for the first time."""
    _put_off_in: dict[str, str] = field(default_factory=dict[str, str], init=False)
    """Where that is something new, and what."""

    def touch(self, package_id: str) -> None:
        """The state of one of its profiles changed."""
        self._profiles_of.add(package_id)

    def configured(self, package_id: str, package: Package | None) -> None:
        """Its settings may have changed; None: it is gone."""
        self.touch(package_id)
        if package is None:
            self._rules.pop(package_id, None)
            self._to_compare.discard(package_id)
            self._put_off_in.pop(package_id, None)
            return
        known, rules = self._rules.get(package_id), str(recipient_rules(package))
        self._rules[package_id] = rules
        if known is None:
            self._to_compare.add(package_id)
        elif known != rules:
            self._put_off_in[package_id] = rules

    async def wake(self) -> None:
        """Write down what has been noted since the last time."""
        if self._profiles_of:
            woken, self._profiles_of = self._profiles_of, set()
            try:
                async with self.engine.begin() as connection:
                    await connection.execute(sql.PACKAGES_WAKE, {"package_ids": sorted(woken)})
            except BaseException:
                self._profiles_of |= woken
                raise
        if self._to_compare:
            await self._compare()
        for package_id, rules in sorted(self._put_off_in.items()):
            await self._bring_forward(package_id, rules)

    async def _compare(self) -> None:
        compared = {package_id: self._rules[package_id] for package_id in sorted(self._to_compare)}
        asked = {"package_ids": list(compared), "rules": list(compared.values())}
        async with self.engine.begin() as connection:
            await connection.execute(sql.RECIPIENT_RULES_INSERT, asked)
            changed = (await connection.execute(sql.RECIPIENT_RULES_CHANGED, asked)).all()
        self._to_compare -= compared.keys()
        for row in changed:
            if (rules := self._rules.get(row.package_id)) is not None:  # it may have changed again, or gone, meanwhile
                self._put_off_in[row.package_id] = rules

    async def _bring_forward(self, package_id: str, rules: str) -> None:
        """Apart from the profiles and the package: a turn locks these first, and then what is theirs."""
        asked = {"package_id": package_id, "rows": ROWS_MAX}
        async with self.engine.begin() as connection:
            brought = (await connection.execute(sql.BRING_FORWARD, asked)).rowcount
        if brought:
            self.touch(package_id)
        if brought == ROWS_MAX:
            return
        async with self.engine.begin() as connection:
            await connection.execute(sql.RECIPIENT_RULES_KEEP, {"package_id": package_id, "rules": rules})
        if self._put_off_in.get(package_id) == rules:
            del self._put_off_in[package_id]
