"""Changes: the HTTP endpoints of a package's history: who set what, when, from what to what, and taking it back."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic_core import to_json

from ingress.configuration.change_history import Change, History
from ingress.configuration.config_cache import IngressConfigCache
from ingress.configuration.packages_endpoint import CHANGED, shown, warnings
from ingress.configuration.registry import Registry, Settings
from ingress.http import request_body
from ingress.http.openapi import describe
from ingress.http.pagination import Page, PathId, page_answer
from ingress.http.problems import CURSOR
from ingress.http.responses import Answer
from ingress.http.urls import API
from spreader.http.problems import Problem

Number = Annotated[int, Path(ge=1, le=2**53, description="The package's version that the change made.")]


@dataclass(frozen=True, slots=True)
class Changes:
    registry: Registry
    history: History
    configured: IngressConfigCache

    async def list(self, package_id: PathId, page: Page) -> Response:
        await self.registry.package(package_id)
        rows = await self.history.page(package_id, _before(page.after), page.read_limit)
        return page_answer(page, [str(row.number) for row in rows], [_shown(row) for row in rows]).response()

    async def undo(self, package_id: PathId, number: Number) -> Response:
        row = await self.registry.undo(package_id, number, _checked)
        await self.configured.wait_until_applied(row.package_id, row.version)
        return Answer(200, {**shown(row), "warnings": warnings(row)}).response()

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=f"{API}/packages/{{package_id}}/changes", tags=["packages"])
        describe(router, "GET", "", self.list, "listChanges", "Who changed what, newest first", answer=PAGE,
                 problems=(400, 404, 422))  # fmt: skip
        describe(router, "POST", "/{number}/undo", self.undo, "undoChange", "Take a change back",
                 problems=(404, 409, 422))  # fmt: skip
        return router


def _checked(settings: Settings) -> Settings:
    return request_body.parsed(CHANGED, to_json(settings)).settings()


def _before(after: str | None) -> int | None:
    if after and not after.isdecimal():
        raise Problem(CURSOR, "`cursor`: it is not one that this list gave.")
    return int(after) if after else None


def _shown(change: Change) -> dict[str, Any]:
    return {
        "number": change.number,
        "at": change.at,
        "who": change.who,
        "undoes": change.undoes,
        "undone_by": change.undone_by,
        "undoable": change.not_undoable_reason is None,
        "why_not_undoable": change.not_undoable_reason,
        "differences": [each.to_json() for each in change.differences],
    }


PAGE: dict[str, Any] = {
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
