"""Message list: what a package was asked to send, newest first, each with how far it has come."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from ingress.configuration.config_cache import IngressConfigCache
from ingress.http.openapi import describe
from ingress.http.pagination import Page, PathId, page_answer
from ingress.http.problems import CURSOR
from ingress.http.urls import API
from ingress.status.messages_endpoint import ANSWER, shown
from ingress.status.projection import Place, StatusView
from spreader.contract.events import Lane
from spreader.http.problems import Problem

OfLane = Annotated[Lane | None, Query(description="Only messages of this lane.")]


@dataclass(frozen=True, slots=True)
class MessageList:
    view: StatusView
    configured: IngressConfigCache

    async def list(self, package_id: PathId, page: Page, lane: OfLane = None) -> Response:
        self.configured.require_package(package_id)
        rows = await self.view.messages(package_id, lane, _place(page.after), page.read_limit)
        ids = [_text(Place(message.accepted_at, message.message_id)) for message, _ in rows]
        return page_answer(page, ids, [shown(message, counted) for message, counted in rows]).response()

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=f"{API}/packages/{{package_id}}/messages", tags=["messages"])
        describe(router, "GET", "", self.list, "listMessages", "A package's messages, newest first", answer=PAGE,
                 problems=(400, 404, 422))  # fmt: skip
        return router


def _text(place: Place) -> str:
    return f"{place.accepted_at.isoformat()} {place.message_id}"


def _place(after: str | None) -> Place | None:
    if not after:
        return None
    try:
        at, message_id = after.split(" ")
        return Place(datetime.fromisoformat(at), message_id)
    except ValueError:
        raise Problem(CURSOR, "`cursor`: it is not one that this list gave.") from None


PAGE: dict[str, Any] = {"data": [ANSWER], "next_cursor": None}
