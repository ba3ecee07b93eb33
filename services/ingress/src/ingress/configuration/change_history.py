"""History: what operators changed, kept with the change itself in one transaction."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ingress.core.differences import Difference, differences, not_undoable_reason
from ingress.core.snapshot import StoredPackage, StoredProfile
from ingress.sql import configuration as sql
from spreader.http.problems import not_found

_KEPT_OF_GATEWAY = ("driver", "base_url", "account")


@dataclass(frozen=True, slots=True)
class Change:
    """One change; its number is the package's version that it made."""

    number: int
    at: datetime
    who: str | None
    undoes: int | None
    undone_by: int | None
    differences: tuple[Difference, ...]

    @property
    def not_undoable_reason(self) -> str | None:
        """None: it can be taken back, as long as nothing changed the same since."""
        if self.undone_by is not None:
            return f"it has been taken back already, by change {self.undone_by}"
        return not_undoable_reason(self.differences)


@dataclass(frozen=True, slots=True)
class History:
    engine: AsyncEngine

    async def page(self, package_id: str, before: int | None, limit: int) -> list[Change]:
        """Newest first."""
        asked = {"package_id": package_id, "before": before, "limit": limit}
        async with self.engine.connect() as connection:
            return [_change(row) for row in await connection.execute(sql.CHANGES, asked)]


async def one(connection: AsyncConnection, package_id: str, number: int) -> Change:
    asked = {"package_id": package_id, "number": number}
    row = (await connection.execute(sql.CHANGE, asked)).one_or_none()
    if row is None:
        raise not_found("change", str(number))
    return _change(row)


async def keep(
    connection: AsyncConnection, package: StoredPackage, before: Any, after: Any, who: str | None, at: datetime,
    undoes: int | None = None,
) -> None:  # fmt: skip
    """Write down what differs between two documents; a change of nothing is none."""
    found = differences(before, after)
    if found:
        new = {
            "package_id": package.package_id, "number": package.version, "at": at, "who": who, "undoes": undoes,
            "differences": json.dumps([each.to_json() for each in found]),
        }  # fmt: skip
        await connection.execute(sql.CHANGE_INSERT, new)


def document(package: StoredPackage, profiles: Sequence[StoredProfile]) -> dict[str, Any]:
    """All that can be changed of a package, without what must not be read."""
    members = {each.profile_id: {**_readable(each.settings), "paused": each.paused} for each in profiles}
    return {**package.settings, "paused": package.paused, "profiles": members}


def _readable(settings: Any) -> dict[str, Any]:
    """Sealed credentials are shown by a mark that tells one set from another, and nothing else."""
    gateway = settings["gateway"]
    shown = {name: gateway.get(name) for name in _KEPT_OF_GATEWAY}
    if sealed := gateway.get("sealed"):
        shown["credentials"] = f"set ({hashlib.sha256(sealed.encode()).hexdigest()[:6]})"
    return {**settings, "gateway": shown}


def _change(row: Row[Any]) -> Change:
    found = tuple(map(Difference.from_json, row.differences))
    return Change(row.number, row.at, row.who, row.undoes, row.undone_by, found)
