"""Statements about changes: what was changed without a person, for those who ask why."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from stats.core.condition import ProfileChange


async def note_changes(connection: AsyncConnection, changes: Sequence[tuple[str, ProfileChange]], at: datetime) -> None:
    """Each with its profile."""
    if changes:
        columns = {
            "profiles": [profile for profile, _ in changes],
            "whats": [change.what for _, change in changes],
            "befores": [change.before for _, change in changes],
            "afters": [change.after for _, change in changes],
            "causes": [change.cause for _, change in changes],
        }
        await connection.execute(_NOTE, {**columns, "at": at})


async def list_changes(connection: AsyncConnection, profile_id: str, before: int, limit: int) -> Sequence[Any]:
    """The newest first, below the number `before`."""
    return (await connection.execute(_LIST, {"profile": profile_id, "before": before, "limit": limit})).all()


_NOTE = text("""
INSERT INTO stats.change (profile_id, at, what, before, after, cause)
SELECT profile_id, CAST(:at AS timestamptz), what, before, after, cause
FROM unnest(CAST(:profiles AS text[]), CAST(:whats AS text[]), CAST(:befores AS text[]), CAST(:afters AS text[]),
            CAST(:causes AS text[])) AS made (profile_id, what, before, after, cause)""")

_LIST = text("""
SELECT change_id, at, what, before, after, cause FROM stats.change
WHERE profile_id = :profile AND change_id < CAST(:before AS bigint)
ORDER BY change_id DESC LIMIT CAST(:limit AS int)""")
