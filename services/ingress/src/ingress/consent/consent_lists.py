"""Consents: who must not be written to, and who asked to be, as the ingress keeps it for all.

Each change is a row that is not announced yet; it is announced before its caller hears of it. So what a caller asks
for after the answer finds the change on Kafka. A crash in between leaves the row to `announce_left_over`.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ingress.sql import consent as sql
from spreader.clock import Now
from spreader.consent import objection
from spreader.contract.configuration import Package
from spreader.contract.events import ConsentChanged, ConsentKind
from spreader.http.problems import unavailable
from spreader.kafka.bus import Bus, PublishFailed

LEFT_OVER_MAX = 500
ASKED_AT_ONCE = 5_000  # between the pieces others have their turn
POLL_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Scope:
    """One list of one package, or of all (`EVERYWHERE`)."""

    package_id: str
    kind: ConsentKind

    @property
    def columns(self) -> dict[str, str]:
        return {"package_id": self.package_id, "kind": self.kind}


@dataclass(frozen=True, slots=True)
class Listed:
    recipient: str
    since: datetime
    source: str
    evidence: str | None
    """The customer's own message, where it was one."""


@dataclass(frozen=True, slots=True)
class Consents:
    engine: AsyncEngine
    bus: Bus
    now: Now

    async def add(
        self, scope: Scope, recipients: Sequence[str], source: str, evidence: str | None = None,
        since: datetime | None = None,
    ) -> int:  # fmt: skip
        """Put these on the list; answers how many were not on it. The same evidence counts once, even when lifted."""
        new = {"recipients": list(recipients), "now": since or self.now(), "source": source, "evidence": evidence}
        async with self.engine.begin() as connection:
            added = (await connection.execute(sql.ADD, {**scope.columns, **new})).rowcount
        await self._announce(scope, recipients)
        return added

    async def lift(self, scope: Scope, recipient: str) -> bool:
        """Take one off the list; answers whether it was on it."""
        gone = {"recipient": recipient, "now": self.now()}
        async with self.engine.begin() as connection:
            lifted = (await connection.execute(sql.LIFT, {**scope.columns, **gone})).rowcount
        await self._announce(scope, [recipient])
        return lifted > 0

    async def lift_of_gateway(self, scope: Scope, recipient: str, wished_at: datetime) -> bool:
        """Take off the list who was put there by the gateway's word before `wished_at`; nobody else."""
        gone = {"recipient": recipient, "now": self.now(), "wished_at": wished_at}
        async with self.engine.begin() as connection:
            lifted = (await connection.execute(sql.LIFT_OF_GATEWAY, {**scope.columns, **gone})).rowcount
        await self._announce(scope, [recipient])
        return lifted > 0

    async def page(self, scope: Scope, after: str, limit: int, recipient: str | None) -> list[Listed]:
        asked = {"after": after, "limit": limit, "recipient": recipient}
        async with self.engine.connect() as connection:
            rows = await connection.execute(sql.PAGE, {**scope.columns, **asked})
            return [Listed(row.recipient, row.since, row.source, row.evidence) for row in rows]

    async def objections(self, package: Package, recipients: Sequence[str]) -> dict[str, str]:
        """Whom of these the package must not write to, each with the reason; by the lists as they are now."""
        kinds: list[ConsentKind] = ["suppression", "opt_in"] if package.opted_in_only else ["suppression"]
        found: dict[str, str] = {}
        for first in range(0, len(recipients), ASKED_AT_ONCE):
            piece = list(recipients[first : first + ASKED_AT_ONCE])
            listed: dict[str, set[ConsentKind]] = defaultdict(set)
            async with self.engine.connect() as connection:
                asked = {"package_id": package.package_id, "recipients": piece, "kinds": kinds}
                for row in await connection.execute(sql.LISTINGS, asked):
                    listed[row.recipient].add(row.kind)
            reasons = ((each, objection(listed.get(each, ()), package.opted_in_only)) for each in piece)
            found |= {each: why for each, why in reasons if why is not None}
        return found

    async def announce_left_over(self) -> float:
        """Announce what a crash or a broker that was away has kept back."""
        async with self.engine.begin() as connection:
            rows = (await connection.execute(sql.LEFT_OVER, {"limit": LEFT_OVER_MAX})).all()
            await self._tell(connection, rows)
        return 0.0 if rows else POLL_SECONDS

    async def _announce(self, scope: Scope, recipients: Sequence[str]) -> None:
        """Wait for another process that is announcing the same rows; what it has announced is not found here."""
        try:
            async with self.engine.begin() as connection:
                mine = {**scope.columns, "recipients": list(recipients)}
                await self._tell(connection, (await connection.execute(sql.UNANNOUNCED, mine)).all())
        except PublishFailed as error:
            raise unavailable(
                "The list is changed, and Kafka has not taken the news: it is in force when Kafka is back. "
                "To send this again does no harm."
            ) from error

    async def _tell(self, connection: AsyncConnection, rows: Sequence[Row[Any]]) -> None:
        """The rows stay locked until they are marked: the changes of one recipient go out in their order."""
        if rows:
            await self.bus.publish(*map(_event, rows))
            told = {
                "package_ids": [row.package_id for row in rows],
                "kinds": [row.kind for row in rows],
                "recipients": [row.recipient for row in rows],
            }
            await connection.execute(sql.MARK_ANNOUNCED, told)


def _event(row: Row[Any]) -> ConsentChanged:
    return ConsentChanged(
        package_id=row.package_id,
        recipient=row.recipient,
        kind=row.kind,
        listed=row.listed,
        source=row.source,
        at=row.since,
    )
