"""Changes endpoint: lists the changes of a package's configuration, and undoes one of them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic_core import to_json
from typing_extensions import TypedDict

from ingress.configuration.bodies import ChangedPackageBody, package_body, package_warnings
from ingress.configuration.change_history import Change, ChangeHistory
from ingress.configuration.config_cache import IngressConfigCache
from ingress.configuration.packages_endpoint import CHANGED_EXAMPLE, PACKAGE_FORM
from ingress.configuration.registry import Registry
from ingress.core.differences import DifferenceBody
from ingress.core.snapshot import Settings
from ingress.http import request_body
from ingress.http.openapi import add_route
from ingress.http.pagination import PageParameters, PathId, page_response
from ingress.http.problems import CURSOR
from ingress.http.responses import ApiResponse
from ingress.http.urls import API
from spreader.http.openapi import PageBody
from spreader.http.problems import Problem

NUMBER_MAX = 2**53
ChangeNumber = Annotated[int, Path(ge=1, le=NUMBER_MAX, description="The package's version that the change made.")]


class ChangeBody(TypedDict):
    number: int
    at: datetime
    who: str | None
    undoes: int | None
    undone_by: int | None
    undoable: bool
    why_not_undoable: str | None
    differences: list[DifferenceBody]


@dataclass(frozen=True, slots=True)
class ChangesEndpoint:
    registry: Registry
    history: ChangeHistory
    config_cache: IngressConfigCache

    async def list(self, package_id: PathId, page_request: PageParameters) -> Response:
        await self.registry.package(package_id)
        changes = await self.history.page(package_id, _before(page_request.after), page_request.read_limit)
        numbers = [str(change.number) for change in changes]
        return page_response(page_request, numbers, [_body(change) for change in changes]).render()

    async def undo(self, package_id: PathId, number: ChangeNumber) -> Response:
        row = await self.registry.undo(package_id, number, _check)
        await self.config_cache.wait_until_applied(row.package_id, row.version)
        return ApiResponse(200, {**package_body(row), "warnings": package_warnings(row)}).render()

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=f"{API}/packages/{{package_id}}/changes", tags=["packages"])
        add_route(
            router,
            "GET",
            "",
            self.list,
            "listChanges",
            "A package's changes, newest first",
            shape=PageBody[ChangeBody],
            response=PAGE_EXAMPLE,
            problems=(400, 404, 422),
        )
        add_route(
            router,
            "POST",
            "/{number}/undo",
            self.undo,
            "undoChange",
            "Undo a change",
            shape=ChangedPackageBody,
            response=CHANGED_EXAMPLE,
            problems=(404, 409, 422),
        )
        return router


def _check(settings: Settings) -> Settings:
    """Validate the settings like a form from a caller, and return them. Raises the problem `invalid`."""
    return request_body.parse(PACKAGE_FORM, to_json(settings)).settings()


def _before(after: str | None) -> int | None:
    """The change number in a decoded cursor. None if there is no cursor, because the first page is wanted."""
    if not after:
        return None
    if not after.isdecimal() or int(after) > NUMBER_MAX:
        raise Problem(CURSOR, "`cursor` was not returned by this list. Use the `next_cursor` of a page.")
    return int(after)


def _body(change: Change) -> ChangeBody:
    return {
        "number": change.number,
        "at": change.at,
        "who": change.who,
        "undoes": change.undoes,
        "undone_by": change.undone_by,
        "undoable": change.not_undoable_reason is None,
        "why_not_undoable": change.not_undoable_reason,
        "differences": [difference.to_json() for difference in change.differences],
    }


PAGE_EXAMPLE: dict[str, Any] = {
    "data": [
        {
            "number": 7,
            "at": "2024-02-08T18:46:00Z",
            "who": "Mona",
            "undoes": None,
            "undone_by": None,
            "undoable": True,
            "why_not_undoable": None,
            "differences": [{"pointer": "/profile_limits/per_hour", "from": 20, "to": 15}],
        }
    ],
    "next_cursor": None,
}
