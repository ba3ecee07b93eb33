"""Consents: the lists of who must not be written to, and of who asked to be, as a reader keeps them in its schema."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from spreader.contract.events import PARTITIONS, ConsentChanged, ConsentKind
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.offset_store import Deduplicator
from spreader.kafka.read_barrier import ReadProgress, wait_until_consumed

SUPPRESSED = "the recipient is suppressed"
NOT_OPTED_IN = "the package writes only to who has opted in, and the recipient has not"

RecipientKey = tuple[str, str]
"""A package's id and a recipient."""


def objection(listed: Collection[ConsentKind], opted_in_only: bool) -> str | None:
    """Why no conversation may be opened with a recipient who is on these lists; None when it may."""
    if "suppression" in listed:
        return SUPPRESSED
    if opted_in_only and "opt_in" not in listed:
        return NOT_OPTED_IN
    return None


async def wait_until_consents_consumed(progress: ReadProgress, seconds: float) -> bool:
    """Read barrier of the consent topic: True once every change published before this call is consumed.

    A missing opt-in may only be acted on after that: the recipient may have opted in seconds ago, or this service may
    have just begun to read the topic. False: still unread after `seconds`. Raises OSError when Kafka is unavailable.
    """
    return await wait_until_consumed(progress, ConsentChanged.topic, range(PARTITIONS[ConsentChanged.topic]), seconds)


@dataclass(frozen=True, slots=True)
class ConsentTable:
    """The table `consent` of a schema: a row for each recipient on a list, folded from the events.

    In Postgres and not in memory: the lists may hold millions, and a restart has them at once.
    """

    schema: str

    async def fold(self, connection: AsyncConnection, changes: Sequence[ConsentChanged]) -> list[ConsentChanged]:
        """Take over what has changed; answers the newest change of each recipient's place on each list."""
        newest = {change.key: change for change in changes}
        ordered = [newest[key] for key in sorted(newest)]  # in one order: writers then do not deadlock
        listed = [change for change in ordered if change.listed]
        lifted = [change for change in ordered if not change.listed]
        if listed:
            await connection.execute(self._sql(_LIST), _columns(listed))
        if lifted:
            await connection.execute(self._sql(_LIFT), _columns(lifted))
        return ordered

    async def of(
        self, connection: AsyncConnection, places: Collection[RecipientKey]
    ) -> Mapping[RecipientKey, set[ConsentKind]]:
        """The lists that concern each of these; who is on none is left out."""
        asked = sorted(places)
        columns = {"packages": [package for package, _ in asked], "recipients": [recipient for _, recipient in asked]}
        found: dict[RecipientKey, set[ConsentKind]] = {}
        for row in await connection.execute(self._sql(_OF), columns):
            found.setdefault((row.package_id, row.recipient), set()).add(row.kind)
        return found

    def _sql(self, statement: str) -> TextClause:
        return text(statement.format(schema=self.schema))


@dataclass(frozen=True, slots=True)
class ConsentFollower:
    """The handler of a service that only keeps the lists."""

    engine: AsyncEngine
    positions: Deduplicator
    consents: ConsentTable

    async def on_changed(self, batch: Sequence[Received[ConsentChanged]]) -> None:
        async with self.engine.begin() as connection:
            fresh = await self.positions.unseen(connection, batch)
            await self.consents.fold(connection, [each.event for each in fresh])


def _columns(changes: Sequence[ConsentChanged]) -> dict[str, list[str]]:
    return {
        "packages": [change.package_id for change in changes],
        "recipients": [change.recipient for change in changes],
        "kinds": [change.kind for change in changes],
    }


_CHANGES = """unnest(CAST(:packages AS text[]), CAST(:recipients AS text[]), CAST(:kinds AS text[]))
     AS change (package_id, recipient, kind)"""

_LIST = f"""
INSERT INTO "{{schema}}".consent (package_id, recipient, kind)
SELECT package_id, recipient, kind FROM {_CHANGES} ON CONFLICT DO NOTHING"""

_LIFT = f"""
DELETE FROM "{{schema}}".consent USING {_CHANGES}
WHERE consent.package_id = change.package_id AND consent.recipient = change.recipient AND consent.kind = change.kind"""

_OF = """
SELECT asked.package_id, asked.recipient, consent.kind
FROM unnest(CAST(:packages AS text[]), CAST(:recipients AS text[])) AS asked (package_id, recipient)
JOIN "{schema}".consent ON consent.recipient = asked.recipient AND consent.package_id IN (asked.package_id, '*')"""
