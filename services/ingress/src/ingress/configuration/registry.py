"""Registry: the packages and profiles that operators configure. Each change puts a snapshot of the changed package into
the outbox."""

import contextlib
import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ingress.configuration.change_history import get_change, package_document, record_change
from ingress.configuration.etags import Precondition, package_etag, profile_etag, unconditional
from ingress.configuration.removals import announce
from ingress.core.accounts import account_of
from ingress.core.differences import ABSENT, NotUndoable, revert
from ingress.core.snapshot import Settings, snapshot
from ingress.http.operator import current_operator
from ingress.http.problems import NOT_UNDOABLE, TAKEN
from ingress.infra import outbox
from ingress.sql import configuration as sql
from ingress.sql.configuration import PackageEntry, ProfileEntry
from ingress.sql.removals import RemovedPackage
from ingress.sql.sealed_credentials import RESEAL, ResealedEntry
from spreader.clock import Now
from spreader.contract.events import PackageConfigured
from spreader.http.problems import FieldError, Problem, not_found
from spreader.kafka.envelope import encode
from spreader.runtime.rows import arrays, fetched

Edit = Callable[[Settings], Settings]
"""A function from the stored settings to the new settings. It may raise the problem `invalid`."""

PROFILES_MAX = 1_000


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
            return await _package(connection, package_id)

    async def packages(self, after: str, limit: int) -> Sequence[PackageEntry]:
        async with self.engine.connect() as connection:
            rows = await connection.execute(sql.PACKAGES, {"after": after, "limit": limit})
            return fetched(PackageEntry, rows)

    async def profile(self, package_id: str, profile_id: str) -> tuple[PackageEntry, ProfileEntry]:
        async with self.engine.connect() as connection:
            return await _package(connection, package_id), await _profile(connection, package_id, profile_id)

    async def profile_anywhere(self, profile_id: str) -> ProfileEntry:
        """The profile with this id, in any package. Two packages never have profiles with the same id."""
        async with self.engine.connect() as connection:
            rows = fetched(ProfileEntry, await connection.execute(sql.PROFILE_ANYWHERE, {"profile_id": profile_id}))
        if not rows:
            raise not_found("profile", profile_id)
        return rows[0]

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
            return await _package(connection, package_id), await _profiles(connection, package_id, after, limit, only)

    async def package_with_profiles(self, package_id: str) -> tuple[PackageEntry, Sequence[ProfileEntry]]:
        return await self.profiles(package_id, "", PROFILES_MAX)

    async def add_package(self, package_id: str, settings: Settings) -> PackageEntry:
        """Raises the problem `taken` if there is a package with this id."""
        row = {"package_id": package_id, "settings": json.dumps(settings), "now": self.now()}
        async with self.engine.begin() as connection:
            if (await connection.execute(sql.PACKAGE_INSERT, row)).rowcount == 0:
                raise _taken("package", package_id)
            await connection.execute(sql.PACKAGE_BUMP, {"package_id": package_id, "now": self.now()})
            package, document = await self._put_snapshot(connection, package_id)
            await record_change(connection, package, ABSENT, document, current_operator(), self.now())
        self.wake_relay()
        return package

    async def edit_package(self, package_id: str, edit: Edit, require: Precondition) -> PackageEntry:
        async with self._change(package_id, require) as connection:
            settings = edit((await _package(connection, package_id)).settings)
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
            package = await _package(connection, package_id)
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
            if len(await _profiles(connection, package_id, "", PROFILES_MAX)) >= PROFILES_MAX:
                raise Problem(
                    TAKEN, f"The package {package_id} has {PROFILES_MAX} profiles already. Add this one to another."
                )
            await _require_free_account(connection, profile_id, settings["gateway"])
            if (await connection.execute(sql.PROFILE_INSERT, row)).rowcount == 0:
                raise _taken("profile", profile_id)
        return await self.profile(package_id, profile_id)

    async def edit_profile(
        self, package_id: str, profile_id: str, edit: Edit, require: Precondition
    ) -> tuple[PackageEntry, ProfileEntry]:
        async with self._change(package_id) as connection:
            profile = await _required(connection, package_id, profile_id, require)
            settings = edit(profile.settings)
            if account_of(settings["gateway"]) != account_of(profile.settings["gateway"]):
                await _require_free_account(connection, profile_id, settings["gateway"])
            await self._save_profile(connection, package_id, profile_id, settings)
        return await self.profile(package_id, profile_id)

    async def pause_profile(
        self, package_id: str, profile_id: str, paused: bool, require: Precondition
    ) -> tuple[PackageEntry, ProfileEntry]:
        async with self._change(package_id) as connection:
            await _required(connection, package_id, profile_id, require)
            await self._pause_profile(connection, package_id, profile_id, paused)
        return await self.profile(package_id, profile_id)

    async def delete_profile(self, package_id: str, profile_id: str, require: Precondition) -> PackageEntry:
        async with self._change(package_id) as connection:
            await _required(connection, package_id, profile_id, require)
            await connection.execute(sql.PROFILE_DELETE, {"package_id": package_id, "profile_id": profile_id})
        return await self.package(package_id)

    async def undo(self, package_id: str, number: int, check: Edit) -> PackageEntry:
        """Undo a change. `check` validates the package's settings after the undo. Raises the problem `not-undoable`."""
        async with self._change(package_id, undoes=number) as connection:
            change = await get_change(connection, package_id, number)
            if change.not_undoable_reason is not None:
                raise Problem(NOT_UNDOABLE, f"Change {number} cannot be undone: {change.not_undoable_reason}.")
            package = await _package(connection, package_id)
            profiles = await _profiles(connection, package_id, "", PROFILES_MAX)
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
            bump = {"package_id": package_id, "now": self.now()}
            if (await connection.execute(sql.PACKAGE_BUMP, bump)).rowcount == 0:
                raise not_found("package", package_id)
            package = await _package(connection, package_id)
            old_version = package.version - 1
            require(package_etag(replace(package, version=old_version)), old_version)
            before = package_document(package, await _profiles(connection, package_id, "", PROFILES_MAX))
            yield connection
            package, after = await self._put_snapshot(connection, package_id)
            await record_change(connection, package, before, after, current_operator(), self.now(), undoes)
        self.wake_relay()

    async def _put_snapshot(self, connection: AsyncConnection, package_id: str) -> tuple[PackageEntry, dict[str, Any]]:
        """Put the package's snapshot into the outbox. Returns the package as it is now, and its document."""
        package = await _package(connection, package_id)
        profiles = await _profiles(connection, package_id, "", PROFILES_MAX)
        event = PackageConfigured(package=snapshot(package, profiles), at=self.now())
        superseded = {"topic": PackageConfigured.topic, "package_id": package_id}
        await connection.execute(sql.SUPERSEDED_DELETE, superseded)
        await outbox.put(connection, [encode(event, "ingress", self.now())])
        return package, package_document(package, profiles)


async def _package(connection: AsyncConnection, package_id: str) -> PackageEntry:
    rows = fetched(PackageEntry, await connection.execute(sql.PACKAGE, {"package_id": package_id}))
    if not rows:
        raise not_found("package", package_id)
    return rows[0]


async def _profile(connection: AsyncConnection, package_id: str, profile_id: str) -> ProfileEntry:
    params = {"package_id": package_id, "profile_id": profile_id}
    rows = fetched(ProfileEntry, await connection.execute(sql.PROFILE, params))
    if not rows:
        raise not_found("profile", profile_id)
    return rows[0]


async def _required(
    connection: AsyncConnection, package_id: str, profile_id: str, require: Precondition
) -> ProfileEntry:
    """The profile. Raises the problem `changed` if the caller expects another ETag of this profile."""
    package, profile = await _package(connection, package_id), await _profile(connection, package_id, profile_id)
    require(profile_etag(package, profile), package.version - 1)
    return profile


async def _profiles(
    connection: AsyncConnection, package_id: str, after: str, limit: int, only: Sequence[str] | None = None
) -> Sequence[ProfileEntry]:
    params = {"package_id": package_id, "after": after, "limit": limit, "only": only}
    return fetched(ProfileEntry, await connection.execute(sql.PROFILES, params))


async def _require_free_account(connection: AsyncConnection, profile_id: str, gateway: Mapping[str, Any]) -> None:
    """Raises `taken` if another profile sends from this account, because the account would get the limits of both."""
    account = account_of(gateway)
    await connection.execute(sql.ACCOUNT_LOCK, {"account": f"{account.driver} {account.name}"})
    params = {"account": account.name, "driver": account.driver, "profile_id": profile_id}
    for other in fetched(ProfileEntry, await connection.execute(sql.PROFILES_OF_ACCOUNT, params)):
        if account_of(other.settings["gateway"]) == account:
            pointer = "/gateway/account"
            detail = (
                f"the profile {other.profile_id!r} of the package {other.package_id!r} sends from this account already"
            )
            raise Problem(TAKEN, f"{pointer}: {detail}", [FieldError(pointer, "taken", detail)])


def _taken(noun: str, name: str) -> Problem:
    pointer = f"/{noun}_id"
    detail = f"there is a {noun} {name!r} already" + (", in this package or another" if noun == "profile" else "")
    return Problem(TAKEN, f"{pointer}: {detail}", [FieldError(pointer, "taken", detail)])
