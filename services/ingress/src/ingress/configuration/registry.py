"""Registry: the packages and profiles that operators configure. Each change puts a snapshot of the changed package into
the outbox."""

import contextlib
import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ingress.configuration.change_history import get_change, package_document, record_change
from ingress.configuration.etags import Precondition, package_etag, unconditional
from ingress.configuration.removals import announce
from ingress.configuration.stored_rows import (
    PROFILES_MAX,
    find_package,
    find_profile,
    find_profiles,
    require_free_account,
    require_profile,
    require_room,
    taken,
)
from ingress.core.accounts import account_of
from ingress.core.differences import ABSENT, NotUndoable, revert
from ingress.core.snapshot import Settings, snapshot
from ingress.http.operator import current_operator
from ingress.http.problems import NOT_UNDOABLE
from ingress.infra import outbox
from ingress.sql import configuration as sql
from ingress.sql.configuration import PackageEntry, ProfileEntry
from ingress.sql.removals import RemovedPackage
from ingress.sql.sealed_credentials import RESEAL, ResealedEntry
from spreader.clock import Now
from spreader.contract.events import PackageConfigured
from spreader.http.problems import INVALID, Problem, not_found
from spreader.kafka.envelope import encode
from spreader.runtime.rows import arrays, fetched

Edit = Callable[[Settings], Settings]
"""A function from the stored settings to the new settings. It may raise the problem `invalid`."""


@dataclass(frozen=True, slots=True)
class Registry:
    """Methods raise the problem `not-found` for an unknown package or profile.

    `wake_relay` is called after each commit that has put a record into the outbox.
    """

    engine: AsyncEngine
    now: Now
    wake_relay: Callable[[], None]

    async def package(self, package_id: str) -> PackageEntry:
        async with self.engine.connect() as connection:
            return await find_package(connection, package_id)

    async def packages(self, after: str, limit: int) -> Sequence[PackageEntry]:
        async with self.engine.connect() as connection:
            rows = await connection.execute(sql.PACKAGES, {"after": after, "limit": limit})
            return fetched(PackageEntry, rows)

    async def profile(self, package_id: str, profile_id: str) -> tuple[PackageEntry, ProfileEntry]:
        async with self.engine.connect() as connection:
            return await find_package(connection, package_id), await find_profile(connection, package_id, profile_id)

    async def profile_anywhere(self, profile_id: str) -> ProfileEntry:
        """The profile with this id, in any package. Two packages never have profiles with the same id."""
        async with self.engine.connect() as connection:
            rows = fetched(ProfileEntry, await connection.execute(sql.PROFILE_ANYWHERE, {"profile_id": profile_id}))
        if not rows:
            raise not_found("profile", profile_id)
        return rows[0]

    async def has_had_package(self, package_id: str) -> bool:
        """Whether there is a package with this id, or was one before it was deleted."""
        async with self.engine.connect() as connection:
            return bool((await connection.execute(sql.PACKAGE_HAS_BEEN, {"package_id": package_id})).scalar_one())

    async def profile_with_phone(self, phone: str, other_than: str) -> str | None:
        """The id of a profile with this phone number, except `other_than`. None if there is no such profile."""
        async with self.engine.connect() as connection:
            params = {"phone": phone, "profile_id": other_than}
            rows = fetched(ProfileEntry, await connection.execute(sql.PROFILES_OF_PHONE, params))
        return rows[0].profile_id if rows else None

    async def profiles(
        self, package_id: str, after: str, limit: int, only: Sequence[str] | None = None
    ) -> tuple[PackageEntry, Sequence[ProfileEntry]]:
        """`only`: the ids of the wanted profiles. If it is None, all profiles are wanted."""
        async with self.engine.connect() as connection:
            return await find_package(connection, package_id), await find_profiles(
                connection, package_id, after, limit, only
            )

    async def package_with_profiles(self, package_id: str) -> tuple[PackageEntry, Sequence[ProfileEntry]]:
        return await self.profiles(package_id, "", PROFILES_MAX)

    async def add_package(self, package_id: str, settings: Settings) -> PackageEntry:
        """Raises the problem `taken` if there is a package with this id."""
        row = {"package_id": package_id, "settings": json.dumps(settings), "now": self.now()}
        async with self.engine.begin() as connection:
            if (await connection.execute(sql.PACKAGE_INSERT, row)).rowcount == 0:
                raise taken("package", package_id)
            await connection.execute(sql.PACKAGE_BUMP, {"package_id": package_id, "now": self.now()})
            package, document = await self._put_snapshot(connection, package_id)
            await record_change(connection, package, ABSENT, document, current_operator(), self.now())
        self.wake_relay()
        return package

    async def edit_package(self, package_id: str, edit: Edit, require: Precondition) -> PackageEntry:
        async with self._change(package_id, require) as connection:
            settings = edit((await find_package(connection, package_id)).settings)
            await connection.execute(sql.PACKAGE_SAVE, {"package_id": package_id, "settings": json.dumps(settings)})
        return await self.package(package_id)

    async def pause_package(self, package_id: str, paused: bool, require: Precondition) -> PackageEntry:
        async with self._change(package_id, require) as connection:
            await connection.execute(sql.PACKAGE_PAUSE, {"package_id": package_id, "paused": paused})
        return await self.package(package_id)

    async def publish_again(self, package_id: str, resealed: Sequence[ResealedEntry] = ()) -> None:
        """Store the resealed credentials. Then put a snapshot of the package into the outbox, without a new version of
        the package. Do nothing if the package was deleted meanwhile."""
        async with self.engine.begin() as connection:
            locked = await connection.execute(sql.PACKAGE_LOCK, {"package_id": package_id})
            if locked.scalar_one_or_none() is None:
                return
            await connection.execute(RESEAL, {"package_id": package_id, **arrays(ResealedEntry, resealed)})
            await self._put_snapshot(connection, package_id)
        self.wake_relay()

    async def delete_package(self, package_id: str, require: Precondition) -> int:
        """Delete the package. Returns the version of the record that announces the deletion."""
        async with self.engine.begin() as connection:
            await connection.execute(sql.PACKAGE_LOCK, {"package_id": package_id})
            package = await find_package(connection, package_id)
            require(package_etag(package), package.version)
            deleted = await connection.execute(sql.PACKAGE_DELETE, {"package_id": package_id})
            version = deleted.scalar_one()
            await announce(connection, [RemovedPackage(package_id, version)], self.now())
        self.wake_relay()
        return version + 1

    async def add_profile(
        self, package_id: str, profile_id: str, settings: Settings
    ) -> tuple[PackageEntry, ProfileEntry]:
        """Raises the problem `taken` if the profile id or the account is in use already, or if the package is full."""
        row = {"package_id": package_id, "profile_id": profile_id, "settings": json.dumps(settings), "now": self.now()}
        async with self._change(package_id) as connection:
            await require_room(connection, package_id)
            await require_free_account(connection, profile_id, settings["gateway"])
            if (await connection.execute(sql.PROFILE_INSERT, row)).rowcount == 0:
                raise taken("profile", profile_id)
        return await self.profile(package_id, profile_id)

    async def edit_profile(
        self, package_id: str, profile_id: str, edit: Edit, require: Precondition
    ) -> tuple[PackageEntry, ProfileEntry]:
        async with self._change(package_id) as connection:
            profile = await require_profile(connection, package_id, profile_id, require)
            settings = edit(profile.settings)
            if account_of(settings["gateway"]) != account_of(profile.settings["gateway"]):
                await require_free_account(connection, profile_id, settings["gateway"])
            await self._save_profile(connection, package_id, profile_id, settings)
        return await self.profile(package_id, profile_id)

    async def pause_profile(
        self, package_id: str, profile_id: str, paused: bool, require: Precondition
    ) -> tuple[PackageEntry, ProfileEntry]:
        async with self._change(package_id) as connection:
            await require_profile(connection, package_id, profile_id, require)
            await self._pause_profile(connection, package_id, profile_id, paused)
        return await self.profile(package_id, profile_id)

    async def delete_profile(self, package_id: str, profile_id: str, require: Precondition) -> PackageEntry:
        async with self._change(package_id) as connection:
            await require_profile(connection, package_id, profile_id, require)
            await connection.execute(sql.PROFILE_DELETE, {"package_id": package_id, "profile_id": profile_id})
        return await self.package(package_id)

    async def move_profile(
        self, package_id: str, profile_id: str, target: str, require: Precondition
    ) -> tuple[PackageEntry, ProfileEntry]:
        """Move a profile to the package `target`, with its id, settings and credentials.

        It stays the same account. So the time at which it was added stays too, and its blocks and its health remain.
        Raises the problem `taken` if the target is full.
        """
        if target == package_id:
            raise Problem(INVALID, f"/package_id: the profile {profile_id!r} is in this package already")
        async with self.engine.begin() as connection:
            # Locked in the order of their ids, so that two moves never wait for each other.
            before = {name: await self._begin_change(connection, name) for name in sorted((package_id, target))}
            await require_profile(connection, package_id, profile_id, require)
            await require_room(connection, target)
            params = {"package_id": package_id, "profile_id": profile_id, "target": target, "now": self.now()}
            await connection.execute(sql.PROFILE_MOVE, params)
            # The target first: a reader may see the profile in both packages for a short time, but never in none.
            for name in (target, package_id):
                await self._end_change(connection, name, before[name])
        self.wake_relay()
        return await self.profile(target, profile_id)

    async def undo(self, package_id: str, number: int, check: Edit) -> PackageEntry:
        """Undo a change. `check` validates the package's settings after the undo. Raises the problem `not-undoable`."""
        async with self._change(package_id, undoes=number) as connection:
            change = await get_change(connection, package_id, number)
            if change.not_undoable_reason is not None:
                raise Problem(NOT_UNDOABLE, f"Change {number} cannot be undone: {change.not_undoable_reason}.")
            package = await find_package(connection, package_id)
            profiles = await find_profiles(connection, package_id, "", PROFILES_MAX)
            try:
                document = revert(package_document(package, profiles), change.differences)
            except NotUndoable as reason:
                raise Problem(NOT_UNDOABLE, f"Change {number} cannot be undone: {reason}.") from None
            await self._save_document(connection, package, profiles, document, check)
        return await self.package(package_id)

    async def _save_document(
        self,
        connection: AsyncConnection,
        package: PackageEntry,
        profiles: Sequence[ProfileEntry],
        document: Mapping[str, Any],
        check: Edit,
    ) -> None:
        """Store the parts of a document that differ from the stored rows. The stored gateways stay, because an undo
        never changes a gateway, and a document has no credentials."""
        package_id = package.package_id
        paused, members = document["paused"], document["profiles"]
        settings = {name: value for name, value in document.items() if name not in ("paused", "profiles")}
        if settings != package.settings:
            row = {"package_id": package_id, "settings": json.dumps(check(settings))}
            await connection.execute(sql.PACKAGE_SAVE, row)
        if paused != package.paused:
            await connection.execute(sql.PACKAGE_PAUSE, {"package_id": package_id, "paused": paused})
        for profile in profiles:
            member = {**members[profile.profile_id], "gateway": profile.settings["gateway"]}
            profile_paused = member.pop("paused")
            if member != profile.settings:
                await self._save_profile(connection, package_id, profile.profile_id, member)
            if profile_paused != profile.paused:
                await self._pause_profile(connection, package_id, profile.profile_id, profile_paused)

    async def _save_profile(
        self, connection: AsyncConnection, package_id: str, profile_id: str, settings: Settings
    ) -> None:
        params = {"package_id": package_id, "profile_id": profile_id, "now": self.now()}
        await connection.execute(sql.PROFILE_SAVE, {**params, "settings": json.dumps(settings)})

    async def _pause_profile(self, connection: AsyncConnection, package_id: str, profile_id: str, paused: bool) -> None:
        params = {"package_id": package_id, "profile_id": profile_id, "now": self.now(), "paused": paused}
        await connection.execute(sql.PROFILE_PAUSE, params)

    @contextlib.asynccontextmanager
    async def _change(
        self, package_id: str, require: Precondition = unconditional, undoes: int | None = None
    ) -> AsyncGenerator[AsyncConnection]:
        """A transaction that locks the package. At its end a snapshot and an entry of the change history are stored."""
        async with self.engine.begin() as connection:
            before = await self._begin_change(connection, package_id, require)
            yield connection
            await self._end_change(connection, package_id, before, undoes)
        self.wake_relay()

    async def _begin_change(
        self, connection: AsyncConnection, package_id: str, require: Precondition = unconditional
    ) -> dict[str, Any]:
        """Lock the package. Returns its document before the change."""
        bump = {"package_id": package_id, "now": self.now()}
        if (await connection.execute(sql.PACKAGE_BUMP, bump)).rowcount == 0:
            raise not_found("package", package_id)
        package = await find_package(connection, package_id)
        old_version = package.version - 1
        require(package_etag(replace(package, version=old_version)), old_version)
        return package_document(package, await find_profiles(connection, package_id, "", PROFILES_MAX))

    async def _end_change(
        self, connection: AsyncConnection, package_id: str, before: Mapping[str, Any], undoes: int | None = None
    ) -> None:
        package, after = await self._put_snapshot(connection, package_id)
        await record_change(connection, package, before, after, current_operator(), self.now(), undoes)

    async def _put_snapshot(self, connection: AsyncConnection, package_id: str) -> tuple[PackageEntry, dict[str, Any]]:
        """Put the package's snapshot into the outbox. Returns the package as it is now, and its document."""
        package = await find_package(connection, package_id)
        profiles = await find_profiles(connection, package_id, "", PROFILES_MAX)
        event = PackageConfigured(package=snapshot(package, profiles), at=self.now())
        superseded = {"topic": PackageConfigured.topic, "package_id": package_id}
        await connection.execute(sql.SUPERSEDED_DELETE, superseded)
        await outbox.put(connection, [encode(event, "ingress", self.now())])
        return package, package_document(package, profiles)
