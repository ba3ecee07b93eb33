"""Waking: profiles whose settings or state have changed are looked at in the next turn, whatever they waited for."""

from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncEngine

from pacer import postgres as sql
from pacer.core.recipient import RecipientRules, recipient_rules
from spreader.configuration import Package

ROWS_MAX = 5_000


@dataclass
class Waking:
    """What could not be written stays to be done: a setting is not in force later because the database was away.

    Deliveries that were put off for their recipient's sake come back to the queue where its rules have changed since
    this process first saw the package: some thousand in each turn, since they may be many.
    """

    engine: AsyncEngine
    _profiles_of: set[str] = field(default_factory=set[str], init=False)
    """The packages whose profiles are to be woken."""
    _put_off_in: set[str] = field(default_factory=set[str], init=False)
    """The packages whose recipients' rules have changed."""
    _rules: dict[str, RecipientRules] = field(default_factory=dict[str, RecipientRules], init=False)

    def touch(self, package_id: str) -> None:
        """The state of one of its profiles changed."""
        self._profiles_of.add(package_id)

    def configured(self, package_id: str, package: Package | None) -> None:
        """Its settings may have changed; None: it is gone."""
        self.touch(package_id)
        if package is None:
            self._rules.pop(package_id, None)
            return
        rules = recipient_rules(package)
        if self._rules.setdefault(package_id, rules) != rules:
            self._rules[package_id] = rules
            self._put_off_in.add(package_id)

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
        for package_id in sorted(self._put_off_in):
            await self._bring_forward(package_id)

    async def _bring_forward(self, package_id: str) -> None:
        """Apart from the profiles: a turn locks profiles first, and then what is theirs."""
        asked = {"package_id": package_id, "rows": ROWS_MAX}
        async with self.engine.begin() as connection:
            brought = (await connection.execute(sql.BRING_FORWARD, asked)).rowcount
        if brought:
            self.touch(package_id)
        if brought < ROWS_MAX:
            self._put_off_in.discard(package_id)
