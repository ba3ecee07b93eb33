"""Message list endpoint: a package's messages, newest first, each with its status."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic_core import to_json

from ingress.configuration.config_cache import IngressConfigCache
from ingress.http.filters import From, MessageStatuses, To, given, several
from ingress.http.openapi import add_route
from ingress.http.pagination import PageParameters, PathId, page_response
from ingress.http.positions import before, position
from ingress.http.urls import API
from ingress.status.message_endpoint import MESSAGE_EXAMPLE, MessageBody, message_body
from ingress.status.projection import StatusProjection
from spreader.contract.events import Lane
from spreader.contract.labels import NAME_CHARACTERS_MAX, TAG_CHARACTERS_MAX
from spreader.http.openapi import PageBody

_STORABLE = r"^[^\x00]+$"
"""At least one character, and none that cannot be stored."""
NameFilter = Annotated[
    str | None,
    Query(
        max_length=NAME_CHARACTERS_MAX,
        pattern=_STORABLE,
        description="Only messages whose name contains this text. Upper and lower case are the same.",
    ),
]
TagFilter = Annotated[
    str | None,
    Query(
        pattern=_STORABLE,
        max_length=TAG_CHARACTERS_MAX,
        description="Only messages with exactly this tag.",
    ),
]
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

    async def list(
        self,
        package_id: PathId,
        page_request: PageParameters,
        lane: LaneFilter = None,
        name: NameFilter = None,
        tag: TagFilter = None,
        status: MessageStatuses = None,
        begin: From = None,
        to: To = None,
    ) -> Response:
        self.config_cache.require_package(package_id)
        filters = given(
            lane=lane,
            name=name,
            tag=None if tag is None else to_json([tag]).decode(),
            statuses=several(status),
            accepted_from=begin,
            accepted_to=to,
            **before(page_request.after),
        )
        messages = await self.projection.messages(package_id, filters, page_request.read_limit)
        positions = [position(message.accepted_at, message.message_id) for message in messages]
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


PAGE_EXAMPLE: dict[str, Any] = {"data": [MESSAGE_EXAMPLE], "next_cursor": None, "kept_days": 180.0}
