"""SQL of migrations: locks, versions, and what a process of Postgres does."""

from dataclasses import dataclass

from sqlalchemy import text

from spreader.runtime.rows import columns


@dataclass(frozen=True, slots=True)
class Activity:
    """What a process of Postgres does, and the other process that it waits for."""

    pid: int
    is_active: bool
    statement: str
    seconds: int
    phase: str | None
    percent: int | None
    blocker: str | None
    blocker_seconds: int | None

    @property
    def text(self) -> str:
        """The activity in words, for the log and for `/health/ready`."""
        what = f"process {self.pid} of Postgres runs `{self.statement}` for {self.seconds} s"
        if self.phase is not None:
            what += f" ({self.phase})" if self.percent is None else f" ({self.phase}, {self.percent} %)"
        if self.blocker is not None:
            what += f"; it waits for {self.blocker}, whose transaction is {self.blocker_seconds or 0} s old"
        return what


_ACTIVITIES = """
SELECT activity.pid,
       activity.state = 'active' AS is_active,
       left(regexp_replace(activity.query, '\\s+', ' ', 'g'), 100) AS statement,
       CAST(greatest(0, extract(epoch FROM clock_timestamp() - activity.query_start)) AS int) AS seconds,
       progress.phase,
       CAST(CASE WHEN progress.blocks_total > 0 THEN 100 * progress.blocks_done / progress.blocks_total
                 WHEN progress.tuples_total > 0 THEN 100 * progress.tuples_done / progress.tuples_total
                 END AS int) AS percent,
       'process ' || blocker.pid || ' (' || coalesce(blocker.application_name, '') || ')' AS blocker,
       CAST(extract(epoch FROM clock_timestamp() - blocker.xact_start) AS int) AS blocker_seconds
FROM pg_stat_activity AS activity
LEFT JOIN pg_stat_progress_create_index AS progress ON progress.pid = activity.pid
LEFT JOIN LATERAL (
    SELECT * FROM pg_stat_activity WHERE pid = ANY (pg_blocking_pids(activity.pid)) ORDER BY xact_start LIMIT 1
) AS blocker ON true"""

OF_PROCESS = text(f"SELECT {columns(Activity)} FROM ({_ACTIVITIES} WHERE activity.pid = :pid) AS activities")

OF_LOCK_HOLDER = text(f"""
SELECT {columns(Activity)} FROM ({_ACTIVITIES} WHERE activity.pid IN (
    SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND classid = CAST(:space AS int) AND objid = CAST(:service AS int))) AS activities""")

TRY_LOCK = text("SELECT pg_try_advisory_lock(CAST(:space AS int), CAST(:service AS int))")

OWN_PROCESS = text("SELECT pg_backend_pid()")

IS_PREPARED = text("SELECT to_regclass(format('%I.position', CAST(:schema AS text))) IS NOT NULL")

HAS_VERSION = text("SELECT to_regclass(format('%I.migration', CAST(:schema AS text))) IS NOT NULL")

VERSION = 'SELECT version_num FROM "{schema}".migration'

SCHEMA = 'CREATE SCHEMA IF NOT EXISTS "{schema}"'

POSITION_TABLE = """
CREATE TABLE IF NOT EXISTS "{schema}".position (
    cluster_id  text   NOT NULL,
    topic       text   NOT NULL,
    partition   int    NOT NULL,
    next_offset bigint NOT NULL,
    topic_id    text,
    PRIMARY KEY (cluster_id, topic, partition)
)"""

INDEX_IS_VALID = text(
    "SELECT indisvalid AND indisready FROM pg_index WHERE indexrelid = to_regclass(CAST(:name AS text))"
)
