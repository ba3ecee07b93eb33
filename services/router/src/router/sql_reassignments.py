"""Reassignment store: the decisions on returned deliveries in Postgres, with their statements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import text

from router.core.route import NoRoute, NoRouteNow, ReassignResult, Route
from router.sql_conversations import ConversationStore
from spreader.contract.ids import ProfileId
from spreader.runtime.postgres import autocommit
from spreader.runtime.rows import arrays, column, columns, fetched, unnest

ReturnKey = tuple[str, int]
"""The key of a return: the id of the delivery, and the number of the attempt that this return ended."""


@dataclass(frozen=True, slots=True)
class ReassignmentRow:
    """`profile_id`: None if no profile was chosen. `is_end`: whether no profile can ever send the delivery."""

    delivery_id: str
    profile_id: str | None
    reason: str
    is_end: bool
    attempt: int = column("int")

    @classmethod
    def of(cls, key: ReturnKey, result: ReassignResult) -> "ReassignmentRow":
        profile_id = result.profile_id if isinstance(result, Route) else None
        return cls(key[0], profile_id, result.reason, isinstance(result, NoRoute), key[1])

    @property
    def result(self) -> ReassignResult:
        if self.profile_id is not None:
            return Route(ProfileId(self.profile_id), self.reason)
        return NoRoute(self.reason) if self.is_end else NoRouteNow(self.reason)


class ReassignmentStore(ConversationStore):
    async def keep_reassignments(self, results: Mapping[ReturnKey, ReassignResult]) -> dict[ReturnKey, ReassignResult]:
        """Store the decisions that are new. Returns the stored decision for each key. For a repeated record this is the
        first decision."""
        async with autocommit(self.engine) as connection:
            rows = fetched(ReassignmentRow, await connection.execute(_KEEP, _arrays(results)))
        return {(row.delivery_id, row.attempt): row.result for row in rows}

    async def replace_reassignments(self, results: Mapping[ReturnKey, ReassignResult]) -> None:
        async with autocommit(self.engine) as connection:
            await connection.execute(_REPLACE, _arrays(results))


def _arrays(results: Mapping[ReturnKey, ReassignResult]) -> dict[str, Sequence[object]]:
    """The rows are in the order of their keys, so that two instances do not deadlock."""
    return {**arrays(ReassignmentRow, [ReassignmentRow.of(key, results[key]) for key in sorted(results)])}


_INSERT = f"""
INSERT INTO router.reassignment ({columns(ReassignmentRow)})
SELECT {columns(ReassignmentRow)} FROM {unnest(ReassignmentRow, "decided")} ORDER BY delivery_id, attempt
ON CONFLICT (delivery_id, attempt) DO UPDATE SET """

_RETURNED = ", ".join(f"reassignment.{name}" for name in columns(ReassignmentRow).split(", "))
_KEEP = text(f"{_INSERT} attempt = excluded.attempt RETURNING {_RETURNED}")

_REPLACE = text(f"{_INSERT} profile_id = excluded.profile_id, reason = excluded.reason, is_end = excluded.is_end")
