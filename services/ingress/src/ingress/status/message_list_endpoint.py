"""Message list endpoint: a package's messages, newest first, each with its status."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from ingress.configuration.config_cache import IngressConfigCache
from ingress.http.openapi import add_route
from ingress.http.pagination import PageParameters, PathId, page_response
from ingress.http.problems import CURSOR
from ingress.http.urls import API
from ingress.status.message_endpoint import MESSAGE_EXAMPLE, MessageBody, message_body
from ingress.status.projection import ListPosition, StatusProjection
from spreader.contract.events import Lane
from spreader.http.openapi import PageBody
from spreader.http.problems import Problem

LaneFilter = Annotated[Lane | None, Query(description="Only messages of this lane.")]


class MessagePage(PageBody[MessageBody]):
    """`kept_days`: how many days a message is kept after its last event."""

    kept_days: float


@dataclass(frozen=True, slots=True)
class MessageListEndpoint:
    """`kept_days`: how many days a message is kept after its last event."""

    projection: StatusProjection
    config_cache: IngressConfigCache
    kept_days: float

    async def list(self, package_id: PathId, page_request: PageParameters, lane: LaneFilter = None) -> Response:
        self.config_cache.require_package(package_id)
        messages = await self.projection.messages(
            package_id, lane, _position(page_request.after), page_request.read_limit
        )
        positions = [f"{message.accepted_at.isoformat()} {message.message_id}" for message in messages]
        rows = [message_body(message) for message in messages]
        return page_response(page_request, positions, rows, kept_days=self.kept_days).render()

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=f"{API}/packages/{{package_id}}/messages", tags=["messages"])
        add_route(
            router,
            "GET",
            "",
            self.list,
            "listMessages",
            "A package's messages, newest first",
            shape=MessagePage,
            response=PAGE_EXAMPLE,
            problems=(400, 404, 422),
        )
        return router


def _position(after: str | None) -> ListPosition | None:
    """The list position that a decoded cursor names, or None for the first page."""
    if not after:
        return None
    try:
        accepted_at, message_id = after.split(" ")
        return ListPosition(datetime.fromisoformat(accepted_at).astimezone(UTC), message_id)
    except (ValueError, OverflowError):
        raise Problem(CURSOR, "`cursor` was not returned by this list. Use the `next_cursor` of a page.") from None


PAGE_EXAMPLE: dict[str, Any] = {"data": [MESSAGE_EXAMPLE], "next_cursor": None, "kept_days": 180.0}
