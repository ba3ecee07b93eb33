"""Endpoints: the live figures of profiles over HTTP."""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel

from spreader.clock import Now
from spreader.events import PackageConfigured, ProfileState
from spreader.ids import Id
from stats.core.spans import Spans
from stats.core.standing import Roster, roster, standings
from stats.postgres import Store
from stats.problems import Problem, unavailable


class ProfileStates(BaseModel):
    data: list[ProfileState]


class Endpoints:
    """`configured` is live: the rows of the table of packages; `trouble` says why they cannot be relied on yet."""

    def __init__(
        self,
        store: Store,
        clock: Now,
        configured: Mapping[str, PackageConfigured],
        trouble: Callable[[], str | None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._configured = configured
        self._trouble = trouble

    def router(self, key: str) -> APIRouter:
        guards = [Depends(_guard(key)), Depends(self.know_the_packages)]
        router = APIRouter(prefix="/api/v1", tags=["profiles"], dependencies=guards)
        router.add_api_route("/profiles", self.list_profiles, summary="How every profile fares now")
        router.add_api_route("/profiles/{profile_id}", self.get_profile, summary="How one profile fares now")
        return router

    async def know_the_packages(self) -> None:
        trouble = self._trouble()
        if trouble is not None:
            raise unavailable(f"Which profiles there are is not known now (the table of packages: {trouble}).")

    async def list_profiles(
        self, package_id: Annotated[Id | None, Query(description="Only the profiles of this package.")] = None
    ) -> ProfileStates:
        """The rolling windows of each profile, counted at this moment."""
        packages = (row.package for row in self._configured.values())
        members = roster(package for package in packages if package_id in (None, package.package_id))
        return ProfileStates(data=await self._states(members))

    async def get_profile(self, profile_id: Annotated[Id, Path()]) -> ProfileState:
        """The rolling windows of one profile, counted at this moment."""
        package = roster(row.package for row in self._configured.values()).get(profile_id)
        if package is None:
            raise Problem("not-found", f"There is no profile {profile_id!r}.")
        return (await self._states({profile_id: package}))[0]

    async def _states(self, members: Roster) -> list[ProfileState]:
        now = self._clock()
        windows = await self._store.windows(members.keys(), Spans.at(now))
        return standings(members, windows, await self._store.signs(members.keys()), now)


_bearer = HTTPBearer(auto_error=False, description="The key that SPREADER_API_KEY holds.")
Shown = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def _guard(key: str) -> Callable[[Shown], Awaitable[None]]:
    async def guard(shown: Shown) -> None:
        if shown is None or not hmac.compare_digest(shown.credentials.encode(), key.encode()):
            detail = "Send the header `Authorization: Bearer <key>` with the key that SPREADER_API_KEY holds."
            raise Problem("unauthorized", detail, {"WWW-Authenticate": "Bearer"})

    return guard
