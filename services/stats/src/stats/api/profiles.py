"""Endpoints: how profiles fare now, what changed by itself, and that something works again, over HTTP."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import AwareDatetime, BaseModel, Field

from spreader.clock import Now
from spreader.contract.events import Lane, ProfileState
from spreader.contract.ids import Id
from spreader.http.auth import is_authorized, unauthorized
from spreader.http.problems import not_found, unavailable
from stats.api.pagination import Page, number_below, page_body
from stats.config_cache import StatsConfigCache
from stats.core.profile_summary import PackageOfProfile, profile_states
from stats.counting.sql_changes import list_changes
from stats.health.current_state import CurrentState
from stats.health.resume import Resumption

PackageId = Annotated[Id | None, Query(description="Only the profiles of this package.")]


class ProfileStates(BaseModel):
    data: list[ProfileState]


class Live(BaseModel):
    at: AwareDatetime
    data: list[ProfileState]


class Resume(BaseModel):
    """Who says that it works again; `lane` null: both lanes."""

    by: str = Field(min_length=1, max_length=200, examples=["Mona"])
    lane: Lane | None = None


@dataclass(frozen=True, slots=True)
class ProfileEndpoints:
    """`packages_not_ready` says why the packages are not known yet."""

    present: CurrentState
    directory: StatsConfigCache
    resuming: Resumption
    clock: Now
    packages_not_ready: Callable[[], str | None]

    def router(self, key: str, more: Iterable[APIRouter] = ()) -> APIRouter:
        """With `more` behind the same guards."""
        guards = [Depends(guard(key)), Depends(self.know_the_packages)]
        router = APIRouter(prefix="/api/v1", dependencies=guards)
        one = "/profiles/{profile_id}"
        tags: list[Any] = ["profiles"]
        router.add_api_route("/live", self.live, tags=tags, summary="How every profile fares now, with the moment")
        router.add_api_route("/profiles", self.list_profiles, tags=tags, summary="How every profile fares now")
        router.add_api_route(one, self.get_profile, tags=tags, summary="How one profile fares now")
        router.add_api_route(f"{one}/changes", self.list_changes, tags=tags, summary="What was changed by itself")
        router.add_api_route(
            f"{one}/resume", self.resume, methods=["POST"], tags=tags, summary="Say that a closed lane works again"
        )
        for each in more:
            router.include_router(each)
        return router

    async def know_the_packages(self) -> None:
        trouble = self.packages_not_ready()
        if trouble is not None:
            raise unavailable(f"Which profiles there are is not known now (the table of packages: {trouble}).")

    async def live(self, package_id: PackageId = None) -> Live:
        """The state of each profile at this moment."""
        return Live(at=self.clock(), data=await self._states(self.directory.roster(package_id)))

    async def list_profiles(self, package_id: PackageId = None) -> ProfileStates:
        """The state of each profile at this moment."""
        return ProfileStates(data=await self._states(self.directory.roster(package_id)))

    async def get_profile(self, profile_id: Annotated[Id, Path()]) -> ProfileState:
        """The state of one profile at this moment."""
        return (await self._states({profile_id: self._package_of(profile_id)}))[0]

    async def list_changes(self, profile_id: Annotated[Id, Path()], page: Page) -> dict[str, Any]:
        """Lanes, factor and health: what changed without a person, the newest first."""
        self._package_of(profile_id)
        async with self.present.store.engine.connect() as connection:
            rows = await list_changes(connection, profile_id, number_below(page), page.read_limit)
        data = [
            {"at": row.at, "what": row.what, "from": row.before, "to": row.after, "cause": row.cause} for row in rows
        ]
        return page_body(page, [str(row.change_id) for row in rows], data)

    async def resume(self, profile_id: Annotated[Id, Path()], said: Resume) -> ProfileState:
        """Open what was closed by gateways' words or by signs of our own, and lift a pause by health."""
        package = self._package_of(profile_id)
        await self.resuming.resume(profile_id, said.lane, said.by)
        return (await self._states({profile_id: package}))[0]

    def _package_of(self, profile_id: str) -> str:
        package = self.directory.roster().get(profile_id)
        if package is None:
            raise not_found("profile", profile_id)
        return package

    async def _states(self, members: PackageOfProfile) -> list[ProfileState]:
        now = self.clock()
        return profile_states(members, await self.present.known(members.keys(), now), now)


_bearer = HTTPBearer(auto_error=False, description="The key that SPREADER_API_KEY holds.")
Shown = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def guard(key: str) -> Callable[[Shown], Awaitable[None]]:
    async def checked(shown: Shown) -> None:
        if shown is None or not is_authorized(f"Bearer {shown.credentials}".encode(), key):
            raise unauthorized()

    return checked
