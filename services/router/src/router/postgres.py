"""Routing store: keeps the router's decisions, round-robin cursors and conversations in Postgres."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from router.core.routing import RecordKey, Routing
from router.sql_reassignments import ReassignmentStore
from spreader.contract.configuration import Distribution
from spreader.runtime.postgres import autocommit
from spreader.runtime.rows import arrays, column, columns, fetched, unnest


@dataclass(frozen=True, slots=True)
class RecordKeyRow:
    message_id: str
    first_index: int = column("int")


@dataclass(frozen=True, slots=True)
class RoutingRow:
    message_id: str
    first_index: int
    strategy: Distribution
    package_version: int
    profiles: list[str]
    passed_over: str
    refused: str | None
    reasons: str
    suppressed: str
    assigned_at: datetime | None
    waiting: str | None
    country: str | None

    @classmethod
    def of(cls, routing: Routing) -> "RoutingRow":
        return cls(
            routing.message_id,
            routing.first_index,
            routing.strategy,
            routing.package_version,
            list(routing.profiles),
            json.dumps(dict(routing.passed_over)),
            routing.refused,
            json.dumps(dict(routing.reasons)),
            json.dumps(dict(routing.suppressed)),
            routing.assigned_at,
            routing.waiting,
            routing.country,
        )

    @property
    def routing(self) -> Routing:
        return Routing(
            self.message_id,
            self.first_index,
            self.strategy,
            self.package_version,
            tuple(self.profiles),
            json.loads(self.passed_over),
            self.refused,
            json.loads(self.reasons),
            json.loads(self.suppressed),
            self.assigned_at,
            self.waiting,
            self.country,
        )


@dataclass(frozen=True, slots=True)
class RoutingRefusal:
    message_id: str
    reason: str
    first_index: int = column("int")


@dataclass(frozen=True, slots=True)
class CursorRow:
    package_id: str
    last_profile: str


@dataclass(frozen=True, slots=True)
class RoutingStore(ReassignmentStore):
    """Stores decisions and cursors. The parent classes store decisions on returned deliveries, and conversations."""

    async def routings(self, connection: AsyncConnection, keys: Sequence[RecordKey]) -> dict[RecordKey, Routing]:
        """The stored decisions on these records."""
        parameters = arrays(RecordKeyRow, [RecordKeyRow(*key) for key in keys])
        rows = fetched(RoutingRow, await connection.execute(_ROUTINGS, parameters))
        return {(row.message_id, row.first_index): row.routing for row in rows}

    async def routing_of(self, connection: AsyncConnection, message_id: str, index: int) -> Routing | None:
        """The decision on the record that contains the delivery with this index in the message."""
        parameters = {"message_id": message_id, "index": index}
        rows = fetched(RoutingRow, await connection.execute(_ROUTING_OF, parameters))
        return rows[0].routing if rows else None

    async def cursor(self, connection: AsyncConnection, package: str) -> str:
        """The profile that had the last turn of the package's rounds."""
        return (await connection.execute(_CURSOR, {"package": package})).scalar_one_or_none() or ""

    async def lock_cursors(self, connection: AsyncConnection, packages: Sequence[str]) -> dict[str, str]:
        """For each package, the profile that had the last turn. The rows are locked, so that concurrent requests
        continue one round."""
        await connection.execute(_CURSOR_ENSURE, {"packages": sorted(set(packages))})
        rows = fetched(CursorRow, await connection.execute(_CURSOR_LOCK, {"packages": sorted(set(packages))}))
        return {row.package_id: row.last_profile for row in rows}

    async def save(self, connection: AsyncConnection, routings: Sequence[Routing], cursors: Mapping[str, str]) -> None:
        if routings:
            rows = [asdict(RoutingRow.of(routing)) for routing in routings]
            await connection.execute(_ROUTING_INSERT, rows)
        await self.save_cursors(connection, cursors)

    async def save_cursors(self, connection: AsyncConnection, cursors: Mapping[str, str]) -> None:
        rows = [CursorRow(package, cursor) for package, cursor in cursors.items()]
        await connection.execute(_CURSOR_SAVE, arrays(CursorRow, rows))

    async def refuse(self, routings: Sequence[Routing]) -> None:
        """Replace stored decisions by these, which refuse their records."""
        rows = [RoutingRefusal(routing.message_id, routing.refused or "", routing.first_index) for routing in routings]
        rows.sort(key=lambda row: (row.message_id, row.first_index))
        async with autocommit(self.engine) as connection:
            await connection.execute(_ROUTING_REFUSE, arrays(RoutingRefusal, rows))


_ROUTING_COLUMNS = ", ".join(f"routing.{name}" for name in columns(RoutingRow).split(", "))
_ROUTINGS = text(f"""
SELECT {_ROUTING_COLUMNS} FROM router.routing
JOIN {unnest(RecordKeyRow, "wanted")} USING (message_id, first_index)""")

_ROUTING_OF = text(f"""
SELECT {_ROUTING_COLUMNS} FROM router.routing WHERE message_id = :message_id AND first_index <= :index
ORDER BY first_index DESC LIMIT 1""")

_ROUTING_INSERT = text(f"""
INSERT INTO router.routing ({columns(RoutingRow)})
VALUES ({", ".join(f":{name}" for name in columns(RoutingRow).split(", "))})""")

_ROUTING_REFUSE = text(f"""
UPDATE router.routing SET refused = given.reason, profiles = '{{}}', waiting = NULL
FROM {unnest(RoutingRefusal, "given")}
WHERE routing.message_id = given.message_id AND routing.first_index = given.first_index""")

_CURSOR_ENSURE = text("""
INSERT INTO router.cursor (package_id, next) SELECT unnest(CAST(:packages AS text[])), 0 ON CONFLICT DO NOTHING""")

_CURSOR_LOCK = text(f"""
SELECT {columns(CursorRow)} FROM router.cursor WHERE package_id = ANY (CAST(:packages AS text[]))
ORDER BY package_id FOR UPDATE""")

_CURSOR = text("SELECT last_profile FROM router.cursor WHERE package_id = :package")

_CURSOR_SAVE = text(f"""
UPDATE router.cursor SET last_profile = saved.last_profile FROM {unnest(CursorRow, "saved")}
WHERE cursor.package_id = saved.package_id""")
