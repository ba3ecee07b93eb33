"""Change history: what operators changed, recorded in the transaction of the change."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ingress.core.differences import Difference, differences, not_undoable_reason
from ingress.core.snapshot import StoredPackage, StoredProfile
from ingress.sql import configuration as sql
from spreader.http.problems import not_found
from spreader.runtime.rows import fetched

_SHOWN_OF_GATEWAY = ("driver", "base_url", "account")


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a package. `number`: the package version that the change created."""

    number: int
    at: datetime
    who: str | None
    undoes: int | None
    undone_by: int | None
    differences: tuple[Difference, ...]

    @property
    def not_undoable_reason(self) -> str | None:
        """Why the change can never be undone. If this is None, only a later change of the same settings prevents the
        undo."""
        if self.undone_by is not None:
            return f"it has been undone already, by change {self.undone_by}"
        return not_undoable_reason(self.differences)


@dataclass(frozen=True, slots=True)
class ChangeHistory:
    engine: AsyncEngine

    async def page(self, package_id: str, before: int | None, limit: int) -> list[Change]:
        """Changes with a number below `before`, newest first."""
        params = {"package_id": package_id, "before": before, "limit": limit}
        async with self.engine.connect() as connection:
            return [_change(row) for row in fetched(sql.ChangeEntry, await connection.execute(sql.CHANGES, params))]


async def get_change(connection: AsyncConnection, package_id: str, number: int) -> Change:
    """Raises the problem `not-found` if the package has no change with this number."""
    params = {"package_id": package_id, "number": number}
    rows = fetched(sql.ChangeEntry, await connection.execute(sql.CHANGE, params))
    if not rows:
        raise not_found("change", str(number))
    return _change(rows[0])


async def record_change(
    connection: AsyncConnection,
    package: StoredPackage,
    before: Any,
    after: Any,
    who: str | None,
    at: datetime,
    undoes: int | None = None,
) -> None:
    """Store as one change the differences between a package's old and new document (see `package_document`). Store
    nothing if the documents are equal."""
    changed = differences(before, after)
    if changed:
        row = {
            "package_id": package.package_id,
            "number": package.version,
            "at": at,
            "who": who,
            "undoes": undoes,
            "differences": json.dumps([difference.to_json() for difference in changed]),
        }
        await connection.execute(sql.CHANGE_INSERT, row)


def package_document(package: StoredPackage, profiles: Sequence[StoredProfile]) -> dict[str, Any]:
    """The document of a package: everything that operators can change in it, without secrets."""
    members = {
        profile.profile_id: {**_without_secrets(profile.settings), "paused": profile.paused} for profile in profiles
    }
    return {**package.settings, "paused": package.paused, "profiles": members}


def _without_secrets(settings: Any) -> dict[str, Any]:
    """The settings of a profile, with a short hash in place of its sealed credentials. The hash shows whether the
    credentials changed."""
    gateway = settings["gateway"]
    shown = {name: gateway.get(name) for name in _SHOWN_OF_GATEWAY}
    if sealed := gateway.get("sealed"):
        shown["credentials"] = f"set ({hashlib.sha256(sealed.encode()).hexdigest()[:6]})"
    return {**settings, "gateway": shown}


def _change(row: sql.ChangeEntry) -> Change:
    changed = tuple(map(Difference.from_json, row.differences))
    return Change(row.number, row.at, row.who, row.undoes, row.undone_by, changed)
