"""Profile endpoints: read current states and automatic changes, and resume a profile."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import AwareDatetime, BaseModel, Field
from typing_extensions import TypedDict

from spreader.clock import Now
from spreader.contract.events import Lane, ProfileState
from spreader.contract.ids import Id
from spreader.http.auth import AcceptedSecrets, unauthorized
from spreader.http.cursors import PageRequest
from spreader.http.openapi import PageBody
from spreader.http.problems import not_found, unavailable
from spreader.runtime.postgres import autocommit
from stats.api.openapi import EVERY_ENDPOINT, NOT_FOUND, OF_A_BODY, STATE_EXAMPLE, documented, page_example
from stats.api.pagination import LargePage, Page, link_next, number_below, page_body
from stats.api.parameters import OfPackage
from stats.api.profile_list import LaneFilter, ProfileFilter, listed
from stats.config_cache import StatsConfigCache
from stats.core.profile_summary import PackageOfProfile, profile_states
from stats.counting.sql_changes import list_changes
from stats.health.current_state import CurrentState
from stats.health.resume import Resumption


class ProfileStates(BaseModel):
    data: list[ProfileState]
    next_cursor: str | None = None


class LiveStates(ProfileStates):
    at: AwareDatetime


def _wanted(
    profile_id: Annotated[list[Id] | None, Query(max_length=200, description="Only these profiles.")] = None,
    state: Annotated[LaneFilter | None, Query(description="Only profiles whose open lane has this state.")] = None,
    text: Annotated[
        str | None, Query(min_length=1, max_length=200, description="A part of the id, the name or the phone number.")
    ] = None,
) -> ProfileFilter:
    return ProfileFilter(frozenset(profile_id or ()), state, text)


Wanted = Annotated[ProfileFilter, Depends(_wanted)]


ProfileChangeBody = TypedDict("ProfileChangeBody", {"at": datetime, "what": str, "from": str, "to": str, "cause": str})
"""A change that the system made by itself. `what`: the part of the state that changed, such as a lane."""
CHANGE_EXAMPLE = {
    "at": "2024-02-08T18:46:00Z",
    "what": "limit factor",
    "from": "1.0",
    "to": "0.5",
    "cause": "quality yellow",
}


class ResumeRequest(BaseModel):
    """Who resumes the profile, and which lane is resumed. If `lane` is null, both lanes are resumed."""

    by: str = Field(min_length=1, max_length=200, examples=["Mona"])
    lane: Lane | None = None


@dataclass(frozen=True, slots=True)
class ProfileEndpoints:
    current_state: CurrentState
    config: StatsConfigCache
    published: Mapping[str, ProfileState]
    """The live rows of the newest published state of each profile."""
    resumption: Resumption
    clock: Now
    packages_not_ready: Callable[[], str | None]
    """Returns why the packages are not loaded yet. None: they are loaded."""

    def router(self, key: str, more: Iterable[APIRouter] = ()) -> APIRouter:
        """The router of the whole API. It has these endpoints and the endpoints of `more`, all with the same guards."""
        guards = [Depends(require_key(key)), Depends(self.require_packages)]
        router = APIRouter(prefix="/api/v1", dependencies=guards, responses=EVERY_ENDPOINT)
        one = "/profiles/{profile_id}"
        tags: list[Any] = ["profiles"]
        state = documented(ProfileState, STATE_EXAMPLE, NOT_FOUND)
        router.add_api_route(
            "/live",
            self.live,
            tags=tags,
            summary="Current state of each profile, with the time",
            responses=documented(LiveStates, {"at": STATE_EXAMPLE["at"], **page_example(STATE_EXAMPLE)}),
        )
        router.add_api_route(
            "/profiles",
            self.list_profiles,
            tags=tags,
            summary="Current state of each profile",
            responses=documented(ProfileStates, page_example(STATE_EXAMPLE)),
        )
        router.add_api_route(one, self.get_profile, tags=tags, summary="Current state of one profile", responses=state)
        router.add_api_route(
            f"{one}/changes",
            self.list_changes,
            tags=tags,
            summary="Automatic changes of a profile",
            responses=documented(PageBody[ProfileChangeBody], page_example(CHANGE_EXAMPLE), NOT_FOUND),
        )
        router.add_api_route(
            f"{one}/resume",
            self.resume,
            methods=["POST"],
            tags=tags,
            summary="Open a profile's closed lanes",
            responses={**state, **OF_A_BODY},
        )
        for other in more:
            router.include_router(other)
        return router

    async def require_packages(self) -> None:
        reason = self.packages_not_ready()
        if reason is not None:
            raise unavailable(f"The profiles are not loaded yet (table of packages: {reason}).")

    async def live(
        self, response: Response, page: LargePage, wanted: Wanted, package_id: OfPackage = None
    ) -> LiveStates:
        """The current state of each profile, in the order of packages and profile ids."""
        return LiveStates(at=self.clock(), **await self._page(response, page, wanted, package_id))

    async def list_profiles(
        self, response: Response, page: LargePage, wanted: Wanted, package_id: OfPackage = None
    ) -> ProfileStates:
        """The current state of each profile, in the order of packages and profile ids."""
        return ProfileStates(**await self._page(response, page, wanted, package_id))

    async def get_profile(self, profile_id: Annotated[Id, Path()]) -> ProfileState:
        """The current state of one profile."""
        return (await self._states({profile_id: self._package_of(profile_id)}))[0]

    async def list_changes(self, profile_id: Annotated[Id, Path()], page: Page) -> dict[str, Any]:
        """The changes of lanes, limit factor and health that the system made by itself, the newest first."""
        self._package_of(profile_id)
        async with autocommit(self.current_state.store.engine) as connection:
            changes = await list_changes(connection, profile_id, number_below(page), page.read_limit)
        data: list[ProfileChangeBody] = [
            {
                "at": change.at,
                "what": change.what,
                "from": change.before,
                "to": change.after,
                "cause": change.cause,
            }
            for change in changes
        ]
        return page_body(page, [str(change.change_id) for change in changes], data)

    async def resume(self, profile_id: Annotated[Id, Path()], body: ResumeRequest) -> ProfileState:
        """Open the lanes that reports or soft signs closed, and end a pause by health; returns the new state."""
        package = self._package_of(profile_id)
        await self.resumption.resume(profile_id, body.lane, body.by)
        return (await self._states({profile_id: package}))[0]

    async def _page(
        self, response: Response, page: PageRequest, wanted: ProfileFilter, package_id: str | None
    ) -> dict[str, Any]:
        """One page of states. Profiles are chosen by their published states, so that only the current states of this
        page must be computed. A profile is left out if its current state does not match the filter any more."""
        packages = [package for package in self.config.packages() if package_id in (None, package.package_id)]
        profiles = listed(packages, self.published, wanted, page.after, page.read_limit)
        shown = {profile.profile_id: profile.package_id for profile in profiles[: page.limit]}
        states = await self._states(shown) if shown else []
        return {
            "data": [state for state in states if wanted.takes_state(state)],
            "next_cursor": link_next(response, page, [profile.place for profile in profiles]),
        }

    def _package_of(self, profile_id: str) -> str:
        package = self.config.package_of_profile().get(profile_id)
        if package is None:
            raise not_found("profile", profile_id)
        return package

    async def _states(self, packages: PackageOfProfile) -> list[ProfileState]:
        now = self.clock()
        return profile_states(packages, await self.current_state.records(packages.keys(), now), now)


_bearer = HTTPBearer(auto_error=False, description="A key of SPREADER_API_KEY.")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def require_key(keys: str) -> Callable[[Credentials], Awaitable[None]]:
    """The FastAPI dependency that raises `unauthorized` for a request without one of the keys."""
    accepted = AcceptedSecrets(keys)

    async def check(credentials: Credentials) -> None:
        if credentials is None or not accepted.has(f"Bearer {credentials.credentials}".encode()):
            raise unauthorized()

    return check
