"""Gateway tables: uploaded files, checked numbers, the schedule of profile checks, and reported deliveries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from spreader.erasure.postgres import ErasureTable
from spreader.erasure.sql_condition import is_erased
from spreader.runtime.postgres import autocommit
from spreader.runtime.rows import arrays, fetched, unnest

ERASURES = ErasureTable("sender")


@dataclass(frozen=True, slots=True)
class PostgresUploads:
    """The store of `sender.gateways.uploads.UploadCache`."""

    engine: AsyncEngine

    async def upload_id(self, account: str, sha256: str, mime_type: str, younger_than: timedelta) -> str | None:
        params = {"account": account, "sha256": sha256, "type": mime_type, "seconds": younger_than.total_seconds()}
        async with autocommit(self.engine) as connection:
            return await connection.scalar(FIND_UPLOAD, params)

    async def keep(self, account: str, sha256: str, mime_type: str, upload_id: str) -> None:
        params = {"account": account, "sha256": sha256, "type": mime_type, "name": upload_id}
        async with autocommit(self.engine) as connection:
            await connection.execute(KEEP_UPLOAD, params)

    async def forget(self, account: str, upload_id: str) -> None:
        async with autocommit(self.engine) as connection:
            await connection.execute(FORGET_UPLOAD, {"account": account, "name": upload_id})


@dataclass(frozen=True, slots=True)
class CheckedNumber:
    """A row of `sender.number`."""

    number: str
    exists: bool
    checked_at: datetime
    address: str | None = None
    """The digits under which WhatsApp knows the number; None if the gateway did not report them."""


@dataclass(frozen=True, slots=True)
class PostgresNumbers:
    """The store of `sender.gateways.number_check.NumberChecker`."""

    engine: AsyncEngine
    erasures: ErasureTable = ERASURES

    async def find(self, numbers: Sequence[str], since: datetime) -> Mapping[str, CheckedNumber]:
        async with autocommit(self.engine) as connection:
            result = await connection.execute(FIND_NUMBERS, {"numbers": list(numbers), "since": since})
            return {row.number: row for row in fetched(CheckedNumber, result)}

    async def keep(self, checked: CheckedNumber) -> None:
        """Store a check, unless the person was erased since the check began."""
        params = {
            "erasure_keys": self.erasures.keys,
            "number": checked.number,
            "is_there": checked.exists,
            "at": checked.checked_at,
            "address": checked.address,
        }
        async with autocommit(self.engine) as connection:
            await connection.execute(KEEP_NUMBER, params)

    async def book(self, profile_id: str, now: datetime, interval: timedelta, burst: int) -> bool:
        """Takes one of the checks that the profile may make; False if it may make none now."""
        params = {"profile_id": profile_id, "now": now, "interval": interval, "ahead_max": interval * (burst - 1)}
        async with autocommit(self.engine) as connection:
            return (await connection.execute(BOOK_CHECK, params)).rowcount == 1


@dataclass(frozen=True, slots=True)
class FirstCheck:
    """A profile that is new in the schedule, and when its first check is due, in seconds from now."""

    profile_id: str
    in_seconds: float


@dataclass(frozen=True, slots=True)
class PolledProfile:
    """A row of `sender.watched`: the state in the last report, the time of that report, and the number of reports."""

    profile_id: str
    package_id: str
    reported: str
    reported_at: datetime | None
    reports: int


@dataclass(frozen=True, slots=True)
class PostgresPollSchedule:
    """The schedule of `sender.gateways.health_poller.HealthPoller`."""

    engine: AsyncEngine

    async def follow(self, package_id: str, checks: Sequence[FirstCheck]) -> None:
        """Makes these profiles the only ones of the package in the schedule. A profile that was in the schedule before
        keeps its due time."""
        params = {"package_id": package_id, **arrays(FirstCheck, checks)}
        async with self.engine.begin() as connection:
            await connection.execute(UNFOLLOW_OTHERS, params)
            await connection.execute(FOLLOW, params)

    async def take(self, limit: int, lease: timedelta) -> Sequence[PolledProfile]:
        """The profiles that are due. No other sender gets them until the lease ends."""
        async with autocommit(self.engine) as connection:
            result = await connection.execute(TAKE_DUE, {"limit": limit, "lease": lease.total_seconds()})
            return fetched(PolledProfile, result)

    async def write(self, polled: PolledProfile, due_in: timedelta) -> None:
        params = {
            "profile_id": polled.profile_id,
            "reported": polled.reported,
            "reported_at": polled.reported_at,
            "reports": polled.reports,
            "seconds": due_in.total_seconds(),
        }
        async with autocommit(self.engine) as connection:
            await connection.execute(RESCHEDULE, params)


@dataclass(frozen=True, slots=True)
class ReportedDelivery:
    """A delivery that its gateway has reported, with the gateway's id of the message (empty if the report has none)."""

    delivery_id: str
    gateway_message_id: str


async def mark_reported(connection: AsyncConnection, reported: Sequence[ReportedDelivery]) -> int:
    """Stores that gateways reported these deliveries; returns how many of them the sender might otherwise have sent
    again."""
    return (await connection.execute(MARK_REPORTED, arrays(ReportedDelivery, reported))).rowcount


FIND_UPLOAD = text("""
SELECT name FROM sender.upload
WHERE account = :account AND sha256 = :sha256 AND type = :type
  AND uploaded_at > statement_timestamp() - make_interval(secs => :seconds)""")

KEEP_UPLOAD = text("""
INSERT INTO sender.upload (account, sha256, type, name, uploaded_at)
VALUES (:account, :sha256, :type, :name, statement_timestamp())
ON CONFLICT (account, sha256, type) DO UPDATE SET name = excluded.name, uploaded_at = excluded.uploaded_at""")

FORGET_UPLOAD = text("DELETE FROM sender.upload WHERE account = :account AND name = :name")

FIND_NUMBERS = text("""
SELECT number, is_there AS exists, checked_at, address FROM sender.number
WHERE number = ANY(CAST(:numbers AS text[])) AND checked_at > :since""")

KEEP_NUMBER = text(f"""
INSERT INTO sender.number (number, is_there, checked_at, address)
SELECT number, is_there, at, address
FROM (VALUES (CAST(:number AS text), CAST(:is_there AS boolean), CAST(:at AS timestamptz), CAST(:address AS text)))
     AS checked (number, is_there, at, address)
WHERE NOT {is_erased("sender", "checked.number", "checked.at")}
ON CONFLICT (number) DO UPDATE
SET is_there = excluded.is_there, checked_at = excluded.checked_at, address = excluded.address""")

# This is a token bucket in one timestamp. Each check moves free_at on by an interval. A check is allowed while free_at
# is at most burst - 1 intervals ahead of now.
BOOK_CHECK = text("""
INSERT INTO sender.number_pace AS pace (profile_id, free_at)
VALUES (:profile_id, CAST(:now AS timestamptz) + CAST(:interval AS interval))
ON CONFLICT (profile_id) DO UPDATE
SET free_at = greatest(pace.free_at, CAST(:now AS timestamptz)) + CAST(:interval AS interval)
WHERE pace.free_at <= CAST(:now AS timestamptz) + CAST(:ahead_max AS interval)""")

UNFOLLOW_OTHERS = text("""
DELETE FROM sender.watched
WHERE package_id = :package_id AND profile_id <> ALL(CAST(:profile_id AS text[]))""")

FOLLOW = text(f"""
INSERT INTO sender.watched AS watched (profile_id, package_id, due_at)
SELECT profile_id, :package_id, statement_timestamp() + make_interval(secs => in_seconds)
FROM {unnest(FirstCheck, "first_check")}
ON CONFLICT (profile_id) DO UPDATE SET package_id = excluded.package_id
WHERE watched.package_id <> excluded.package_id""")

TAKE_DUE = text("""
UPDATE sender.watched AS taken SET due_at = clock_timestamp() + make_interval(secs => :lease)
WHERE profile_id IN (
    SELECT profile_id FROM sender.watched WHERE due_at <= statement_timestamp()
    ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED)
RETURNING profile_id, package_id, reported, reported_at, reports""")

RESCHEDULE = text("""
UPDATE sender.watched
SET due_at = statement_timestamp() + make_interval(secs => :seconds), reported = :reported,
    reported_at = :reported_at, reports = :reports
WHERE profile_id = :profile_id""")

# Deliveries that were settled as certainly not sent are marked too, because the gateway's own report is better
# evidence, and the next release must not send them again.
MARK_REPORTED = text(f"""
UPDATE sender.delivery AS delivery SET heard = reported.gateway_message_id
FROM {unnest(ReportedDelivery, "reported")}
WHERE delivery.delivery_id = reported.delivery_id AND delivery.heard IS NULL
  AND (delivery.state <> 'settled' OR delivery.status IN ('deferred', 'returned'))""")
