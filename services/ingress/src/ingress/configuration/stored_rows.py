"""Stored rows: reads the packages and profiles in the transaction of a change, and checks what the change needs."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ingress.configuration.etags import Precondition, profile_etag
from ingress.core.accounts import account_of
from ingress.http.problems import TAKEN
from ingress.sql import configuration as sql
from ingress.sql.configuration import PackageEntry, ProfileEntry
from spreader.http.problems import FieldError, Problem, not_found
from spreader.runtime.rows import fetched

PROFILES_MAX = 1_000


async def find_package(connection: AsyncConnection, package_id: str) -> PackageEntry:
    rows = fetched(PackageEntry, await connection.execute(sql.PACKAGE, {"package_id": package_id}))
    if not rows:
        raise not_found("package", package_id)
    return rows[0]


async def find_profile(connection: AsyncConnection, package_id: str, profile_id: str) -> ProfileEntry:
    params = {"package_id": package_id, "profile_id": profile_id}
    rows = fetched(ProfileEntry, await connection.execute(sql.PROFILE, params))
    if not rows:
        raise not_found("profile", profile_id)
    return rows[0]


async def require_profile(
    connection: AsyncConnection, package_id: str, profile_id: str, require: Precondition
) -> ProfileEntry:
    """The profile. Raises the problem `changed` if the caller expects another ETag of this profile."""
    package, profile = (
        await find_package(connection, package_id),
        await find_profile(connection, package_id, profile_id),
    )
    require(profile_etag(package, profile), package.version - 1)
    return profile


async def find_profiles(
    connection: AsyncConnection, package_id: str, after: str, limit: int, only: Sequence[str] | None = None
) -> Sequence[ProfileEntry]:
    params = {"package_id": package_id, "after": after, "limit": limit, "only": only}
    return fetched(ProfileEntry, await connection.execute(sql.PROFILES, params))


async def require_room(connection: AsyncConnection, package_id: str) -> None:
    """Raises `taken` if the package has as many profiles as a package may have."""
    if len(await find_profiles(connection, package_id, "", PROFILES_MAX)) >= PROFILES_MAX:
        raise Problem(TAKEN, f"The package {package_id} has {PROFILES_MAX} profiles already. Add this one to another.")


async def require_free_account(connection: AsyncConnection, profile_id: str, gateway: Mapping[str, Any]) -> None:
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


def taken(noun: str, name: str) -> Problem:
    pointer = f"/{noun}_id"
    detail = f"there is a {noun} {name!r} already" + (", in this package or another" if noun == "profile" else "")
    return Problem(TAKEN, f"{pointer}: {detail}", [FieldError(pointer, "taken", detail)])
