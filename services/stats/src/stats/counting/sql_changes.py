"""Statements about changes: the changes that the system made to profiles by itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from spreader.runtime.rows import arrays, columns, fetched, unnest
from stats.core.condition import ProfileChange


@dataclass(frozen=True, slots=True)
class NewChangeRow:
    profile_id: str
    at: datetime
    what: str
    before: str
    after: str
    cause: str


@dataclass(frozen=True, slots=True)
class ChangeRow:
    change_id: int
    at: datetime
    what: str
    before: str
    after: str
    cause: str


async def note_changes(connection: AsyncConnection, changes: Sequence[tuple[str, ProfileChange]], at: datetime) -> None:
    """Note changes, each with its profile."""
    if changes:
        rows = [
            NewChangeRow(profile, at, change.what, change.before, change.after, change.cause)
            for profile, change in changes
        ]
        await connection.execute(_NOTE, arrays(NewChangeRow, rows))


async def list_changes(connection: AsyncConnection, profile_id: str, before: int, limit: int) -> Sequence[ChangeRow]:
    """The changes of a profile with an id below `before`, the newest first."""
    parameters = {"profile": profile_id, "before": before, "limit": limit}
    return fetched(ChangeRow, await connection.execute(_LIST, parameters))


_NOTE = text(f"""
INSERT INTO stats.change ({columns(NewChangeRow)})
SELECT {columns(NewChangeRow)} FROM {unnest(NewChangeRow, "new")}""")

_LIST = text(f"""
SELECT {columns(ChangeRow)} FROM stats.change
WHERE profile_id = :profile AND change_id < CAST(:before AS bigint)
ORDER BY change_id DESC LIMIT CAST(:limit AS int)""")
