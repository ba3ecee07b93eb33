"""Registry: the packages and profiles that operators keep, each change with its snapshot in the outbox."""

import contextlib
import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ingress.configuration import change_history
from ingress.core.differences import ABSENT, NotUndoable, revert
from ingress.core.snapshot import StoredPackage, StoredProfile, snapshot
from ingress.http.operator import current_operator
from ingress.http.problems import NOT_UNDOABLE, TAKEN
from ingress.infra import outbox
from ingress.sql import configuration as sql
from spreader.clock import Now
from spreader.contract.events import PackageConfigured
from spreader.http.problems import FieldError, Problem, not_found
from spreader.kafka.envelope import Envelope, encode

Settings = Mapping[str, Any]
Edit = Callable[[Settings], Settings]

PROFILES_MAX = 1_000


@dataclass(frozen=True, slots=True)
class PackageRow(StoredPackage):
    created_at: datetime
    updated_at: datetime
    profile_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProfileRow(StoredProfile):
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Registry:
    engine: AsyncEngine
    now: Now
    wake: Callable[[], None]
    """Tells the relay that there is something to publish."""

    async def package(self, package_id: str) -> PackageRow:
        async with self.engine.connect() as connection:
            return await _package(connection, package_id)

    async def packages(self, after: str, limit: int) -> list[PackageRow]:
        async with self.engine.connect() as connection:
            rows = await connection.execute(sql.PACKAGES, {"after": after, "limit": limit})
            return [_package_row(row) for row in rows]

    async def profile(self, package_id: str, profile_id: str) -> tuple[PackageRow, ProfileRow]:
        async with self.engine.connect() as connection:
            return await _package(connection, package_id), await _profile(connection, package_id, profile_id)

    async def profile_anywhere(self, profile_id: str) -> ProfileRow:
        """In whichever package it is: a profile's id is used once."""
        async with self.engine.connect() as connection:
            rows = await connection.execute(sql.PROFILE_ANYWHERE, {"profile_id": profile_id})
            row = rows.one_or_none()
        if row is None:
            raise not_found("profile", profile_id)
        return _profile_row(row)

    async def profiles(self, package_id: str, after: str, limit: int) -> tuple[PackageRow, list[ProfileRow]]:
        async with self.engine.connect() as connection:
            return await _package(connection, package_id), await _profiles(connection, package_id, after, limit)

    async def whole(self, package_id: str) -> tuple[PackageRow, list[ProfileRow]]:
        """A package with all its profiles."""
        async with self.engine.connect() as connection:
            return await _package(connection, package_id), await _profiles(connection, package_id, "", PROFILES_MAX)

    async def add_package(self, package_id: str, settings: Settings) -> PackageRow:
        new = {"package_id": package_id, "settings": json.dumps(settings), "now": self.now()}
        async with self.engine.begin() as connection:
            if (await connection.execute(sql.PACKAGE_INSERT, new)).rowcount == 0:
                raise _taken("package", package_id)
            await connection.execute(sql.PACKAGE_BUMP, {"package_id": package_id, "now": self.now()})
            row, made = await self._announce(connection, package_id)
            await change_history.keep(connection, row, ABSENT, made, current_operator(), self.now())
        self.wake()
        return row

    async def edit_package(self, package_id: str, edit: Edit) -> PackageRow:
        async with self._change(package_id) as connection:
            settings = edit((await _package(connection, package_id)).settings)
            await connection.execute(sql.PACKAGE_SAVE, {"package_id": package_id, "settings": json.dumps(settings)})
        return await self.package(package_id)

    async def pause_package(self, package_id: str, paused: bool) -> PackageRow:
        async with self._change(package_id) as connection:
            await connection.execute(sql.PACKAGE_PAUSE, {"package_id": package_id, "paused": paused})
        return await self.package(package_id)

    async def drop_package(self, package_id: str) -> None:
        async with self.engine.begin() as connection:
            if (await connection.execute(sql.PACKAGE_DELETE, {"package_id": package_id})).rowcount == 0:
                raise not_found("package", package_id)
            await outbox.put(connection, [_tombstone(package_id, self.now())])
        self.wake()

    async def add_profile(self, package_id: str, profile_id: str, settings: Settings) -> tuple[PackageRow, ProfileRow]:
        place = {"package_id": package_id, "profile_id": profile_id}
        async with self._change(package_id) as connection:
            if len(await _profiles(connection, package_id, "", PROFILES_MAX)) >= PROFILES_MAX:
                raise Problem(TAKEN, f"A package has at most {PROFILES_MAX} profiles.")
            new = {**place, "settings": json.dumps(settings), "now": self.now()}
            if (await connection.execute(sql.PROFILE_INSERT, new)).rowcount == 0:
                raise _taken("profile", profile_id)
        return await self.profile(package_id, profile_id)

    async def edit_profile(self, package_id: str, profile_id: str, edit: Edit) -> tuple[PackageRow, ProfileRow]:
        place = {"package_id": package_id, "profile_id": profile_id}
        async with self._change(package_id) as connection:
            settings = edit((await _profile(connection, **place)).settings)
            await connection.execute(sql.PROFILE_SAVE, {**place, "settings": json.dumps(settings), "now": self.now()})
        return await self.profile(package_id, profile_id)

    async def pause_profile(self, package_id: str, profile_id: str, paused: bool) -> tuple[PackageRow, ProfileRow]:
        place = {"package_id": package_id, "profile_id": profile_id}
        async with self._change(package_id) as connection:
            if not (
                await connection.execute(sql.PROFILE_PAUSE, {**place, "paused": paused, "now": self.now()})
            ).rowcount:
                raise not_found("profile", profile_id)
        return await self.profile(package_id, profile_id)

    async def drop_profile(self, package_id: str, profile_id: str) -> PackageRow:
        async with self._change(package_id) as connection:
            place = {"package_id": package_id, "profile_id": profile_id}
            if (await connection.execute(sql.PROFILE_DELETE, place)).rowcount == 0:
                raise not_found("profile", profile_id)
        return await self.package(package_id)

    async def undo(self, package_id: str, number: int, checked: Edit) -> PackageRow:
        """Put back what a change set; `checked` says whether the package's settings can be so."""
        async with self._change(package_id, undoes=number) as connection:
            change = await change_history.one(connection, package_id, number)
            if change.not_undoable_reason is not None:
                raise Problem(NOT_UNDOABLE, f"Change {number} cannot be taken back: {change.not_undoable_reason}.")
            package = await _package(connection, package_id)
            profiles = await _profiles(connection, package_id, "", PROFILES_MAX)
            try:
                document = revert(change_history.document(package, profiles), change.differences)
            except NotUndoable as reason:
                raise Problem(NOT_UNDOABLE, f"Change {number} cannot be taken back: {reason}.") from None
            await self._save(connection, package, profiles, document, checked)
        return await self.package(package_id)

    async def _save(
        self, connection: AsyncConnection, package: PackageRow, profiles: Sequence[ProfileRow],
        document: Mapping[str, Any], checked: Edit,
    ) -> None:  # fmt: skip
        """Write the parts of a document that differ from what is kept. A gateway is kept as it is."""
        paused, members = document["paused"], document["profiles"]
        settings = {name: value for name, value in document.items() if name not in ("paused", "profiles")}
        place = {"package_id": package.package_id}
        if settings != package.settings:
            new = {**place, "settings": json.dumps(checked(settings))}
            await connection.execute(sql.PACKAGE_SAVE, new)
        if paused != package.paused:
            await connection.execute(sql.PACKAGE_PAUSE, {**place, "paused": paused})
        for profile in profiles:
            member = {**members[profile.profile_id], "gateway": profile.settings["gateway"]}
            here = {**place, "profile_id": profile.profile_id, "now": self.now()}
            stands = member.pop("paused")
            if member != profile.settings:
                await connection.execute(sql.PROFILE_SAVE, {**here, "settings": json.dumps(member)})
            if stands != profile.paused:
                await connection.execute(sql.PROFILE_PAUSE, {**here, "paused": stands})

    @contextlib.asynccontextmanager
    async def _change(self, package_id: str, undoes: int | None = None) -> AsyncGenerator[AsyncConnection]:
        """One change of a package: nobody else changes it meanwhile, and its snapshot and history go with it."""
        async with self.engine.begin() as connection:
            bump = {"package_id": package_id, "now": self.now()}
            if (await connection.execute(sql.PACKAGE_BUMP, bump)).rowcount == 0:
                raise not_found("package", package_id)
            before = await _document(connection, package_id)
            yield connection
            package, after = await self._announce(connection, package_id)
            await change_history.keep(connection, package, before, after, current_operator(), self.now(), undoes)
        self.wake()

    async def _announce(self, connection: AsyncConnection, package_id: str) -> tuple[PackageRow, dict[str, Any]]:
        """Write the snapshot; answers the package as it is now, and its document."""
        package = await _package(connection, package_id)
        profiles = await _profiles(connection, package_id, "", PROFILES_MAX)
        event = PackageConfigured(package=snapshot(package, profiles), at=self.now())
        await outbox.put(connection, [encode(event, "ingress", self.now())])
        return package, change_history.document(package, profiles)


async def _document(connection: AsyncConnection, package_id: str) -> dict[str, Any]:
    package = await _package(connection, package_id)
    return change_history.document(package, await _profiles(connection, package_id, "", PROFILES_MAX))


async def _package(connection: AsyncConnection, package_id: str) -> PackageRow:
    row = (await connection.execute(sql.PACKAGE, {"package_id": package_id})).one_or_none()
    if row is None:
        raise not_found("package", package_id)
    return _package_row(row)


async def _profile(connection: AsyncConnection, package_id: str, profile_id: str) -> ProfileRow:
    place = {"package_id": package_id, "profile_id": profile_id}
    row = (await connection.execute(sql.PROFILE, place)).one_or_none()
    if row is None:
        raise not_found("profile", profile_id)
    return _profile_row(row)


async def _profiles(connection: AsyncConnection, package_id: str, after: str, limit: int) -> list[ProfileRow]:
    place = {"package_id": package_id, "after": after, "limit": limit}
    return [_profile_row(row) for row in await connection.execute(sql.PROFILES, place)]


def _package_row(row: Row[Any]) -> PackageRow:
    return PackageRow(
        row.package_id, row.version, row.settings, row.paused, row.created_at, row.updated_at, tuple(row.profile_ids)
    )


def _profile_row(row: Row[Any]) -> ProfileRow:
    return ProfileRow(row.profile_id, row.package_id, row.settings, row.paused, row.created_at, row.updated_at)


def _taken(noun: str, name: str) -> Problem:
    pointer = f"/{noun}_id"
    detail = f"there is a {noun} {name!r} already" + (", in this package or another" if noun == "profile" else "")
    return Problem(TAKEN, f"{pointer}: {detail}", [FieldError(pointer, "taken", detail)])


def _tombstone(package_id: str, now: datetime) -> Envelope:
    headers = {
        "ce_specversion": "1.0",
        "ce_id": f"{package_id}/gone/{now.isoformat()}",
        "ce_source": "/spreader/ingress",
        "ce_type": PackageConfigured.type,
        "ce_time": now.isoformat(),
    }
    return Envelope(PackageConfigured.topic, package_id.encode(), None, headers)
