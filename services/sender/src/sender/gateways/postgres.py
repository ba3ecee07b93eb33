"""Gateways' knowledge, as the sender keeps it: uploaded files, numbers, how profiles stand, receipts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine


@dataclass(frozen=True, slots=True)
class PostgresUploads:
    engine: AsyncEngine

    async def name(self, account: str, sha256: str, kind: str, younger_than: timedelta) -> str | None:
        async with self.engine.connect() as connection:
            place = {"account": account, "sha256": sha256, "type": kind, "seconds": younger_than.total_seconds()}
            return await connection.scalar(text(UPLOADED), place)

    async def keep(self, account: str, sha256: str, kind: str, name: str) -> None:
        async with self.engine.begin() as connection:
            place = {"account": account, "sha256": sha256, "type": kind, "name": name}
            await connection.execute(text(KEEP_UPLOAD), place)

    async def forget(self, account: str, name: str) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(text(FORGET_UPLOAD), {"account": account, "name": name})

    async def delete_old(self, older_than: timedelta, limit: int) -> int:
        async with self.engine.begin() as connection:
            place = {"seconds": older_than.total_seconds(), "limit": limit}
            return (await connection.execute(text(DELETE_OLD_UPLOADS), place)).rowcount


@dataclass(frozen=True, slots=True)
class Known:
    exists: bool
    checked_at: datetime
    address: str | None = None
    """The digits that WhatsApp knows it by."""


@dataclass(frozen=True, slots=True)
class PostgresNumbers:
    engine: AsyncEngine

    async def known(self, numbers: Sequence[str], since: datetime) -> Mapping[str, Known]:
        async with self.engine.connect() as connection:
            rows = await connection.execute(text(KNOWN_NUMBERS), {"numbers": list(numbers), "since": since})
            return {row.number: Known(row.is_there, row.checked_at, row.address) for row in rows}

    async def keep(self, number: str, exists: bool, at: datetime, address: str | None) -> None:
        async with self.engine.begin() as connection:
            place = {"number": number, "is_there": exists, "at": at, "address": address}
            await connection.execute(text(KEEP_NUMBER), place)

    async def book(self, profile_id: str, now: datetime, interval: timedelta, burst: int) -> bool:
        """Take one of the profile's checks; False: none is free now."""
        place = {"profile_id": profile_id, "now": now, "interval": interval, "slack": interval * (burst - 1)}
        async with self.engine.begin() as connection:
            return (await connection.execute(text(BOOK_CHECK), place)).rowcount == 1


@dataclass(frozen=True, slots=True)
class Watched:
    profile_id: str
    package_id: str
    reported: str
    reported_at: datetime | None
    reports: int


@dataclass(frozen=True, slots=True)
class PostgresWatch:
    engine: AsyncEngine

    async def follow(self, package_id: str, first_in_seconds: Mapping[str, float]) -> None:
        """These are the package's profiles to watch; a new one is due after so long."""
        place = {
            "package_id": package_id,
            "profile_ids": list(first_in_seconds),
            "seconds": list(first_in_seconds.values()),
        }
        async with self.engine.begin() as connection:
            await connection.execute(text(WATCH_NO_MORE), place)
            await connection.execute(text(WATCH), place)

    async def take(self, limit: int, lease: timedelta) -> tuple[Watched, ...]:
        """What is due; nobody else gets it while the lease lasts."""
        async with self.engine.begin() as connection:
            rows = await connection.execute(text(TAKE_DUE), {"limit": limit, "lease": lease.total_seconds()})
            return tuple(
                Watched(row.profile_id, row.package_id, row.reported, row.reported_at, row.reports) for row in rows
            )

    async def write(self, watched: Watched, due_in: timedelta) -> None:
        place = {
            "profile_id": watched.profile_id,
            "reported": watched.reported,
            "reported_at": watched.reported_at,
            "reports": watched.reports,
            "seconds": due_in.total_seconds(),
        }
        async with self.engine.begin() as connection:
            await connection.execute(text(WATCHED), place)


async def mark_heard(connection: AsyncConnection, heard: Mapping[str, str]) -> int:
    """These deliveries were reported by their gateways, under those ids; answers how many of them that settles."""
    place = {"delivery_ids": list(heard), "names": list(heard.values())}
    return (await connection.execute(text(HEARD), place)).rowcount


UPLOADED = """
SELECT name FROM sender.upload
WHERE account = :account AND sha256 = :sha256 AND type = :type
  AND uploaded_at > statement_timestamp() - make_interval(secs => :seconds)"""

KEEP_UPLOAD = """
INSERT INTO sender.upload (account, sha256, type, name, uploaded_at)
VALUES (:account, :sha256, :type, :name, statement_timestamp())
ON CONFLICT (account, sha256, type) DO UPDATE SET name = excluded.name, uploaded_at = excluded.uploaded_at"""

FORGET_UPLOAD = "DELETE FROM sender.upload WHERE account = :account AND name = :name"

DELETE_OLD_UPLOADS = """
DELETE FROM sender.upload WHERE (account, sha256, type) IN (
    SELECT account, sha256, type FROM sender.upload
    WHERE uploaded_at < statement_timestamp() - make_interval(secs => :seconds) ORDER BY uploaded_at LIMIT :limit)"""

KNOWN_NUMBERS = """
SELECT number, is_there, checked_at, address FROM sender.number
WHERE number = ANY(CAST(:numbers AS text[])) AND checked_at > :since"""

KEEP_NUMBER = """
INSERT INTO sender.number (number, is_there, checked_at, address) VALUES (:number, :is_there, :at, :address)
ON CONFLICT (number) DO UPDATE
SET is_there = excluded.is_there, checked_at = excluded.checked_at, address = excluded.address"""

# One moment is the whole pace: each check moves it on by an interval, and it may lie so far ahead as the burst allows.
BOOK_CHECK = """
INSERT INTO sender.number_pace AS pace (profile_id, free_at)
VALUES (:profile_id, CAST(:now AS timestamptz) + CAST(:interval AS interval))
ON CONFLICT (profile_id) DO UPDATE
SET free_at = greatest(pace.free_at, CAST(:now AS timestamptz)) + CAST(:interval AS interval)
WHERE pace.free_at <= CAST(:now AS timestamptz) + CAST(:slack AS interval)"""

WATCH_NO_MORE = """
DELETE FROM sender.watched
WHERE package_id = :package_id AND profile_id <> ALL(CAST(:profile_ids AS text[]))"""

WATCH = """
INSERT INTO sender.watched AS known (profile_id, package_id, due_at)
SELECT profile_id, :package_id, statement_timestamp() + make_interval(secs => seconds)
FROM unnest(CAST(:profile_ids AS text[]), CAST(:seconds AS float8[])) AS wanted (profile_id, seconds)
ON CONFLICT (profile_id) DO UPDATE SET package_id = excluded.package_id
WHERE known.package_id <> excluded.package_id"""

TAKE_DUE = """
UPDATE sender.watched AS taken SET due_at = clock_timestamp() + make_interval(secs => :lease)
WHERE profile_id IN (
    SELECT profile_id FROM sender.watched WHERE due_at <= statement_timestamp()
    ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED)
RETURNING profile_id, package_id, reported, reported_at, reports"""

WATCHED = """
UPDATE sender.watched
SET due_at = statement_timestamp() + make_interval(secs => :seconds), reported = :reported,
    reported_at = :reported_at, reports = :reports
WHERE profile_id = :profile_id"""

# Also what was settled as surely not sent: a gateway's own report knows better, and the next release must not send it.
HEARD = """
UPDATE sender.delivery AS known SET heard = told.name
FROM unnest(CAST(:delivery_ids AS text[]), CAST(:names AS text[])) AS told (delivery_id, name)
WHERE known.delivery_id = told.delivery_id AND known.heard IS NULL
  AND (known.state <> 'settled' OR known.status IN ('deferred', 'returned'))"""
