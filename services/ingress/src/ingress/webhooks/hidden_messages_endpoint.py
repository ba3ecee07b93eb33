"""Hidden messages endpoint: the messages of people whose number is not known."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from fastapi import APIRouter, Response

from ingress.configuration.config_cache import IngressConfigCache
from ingress.http.openapi import add_route
from ingress.http.pagination import PageParameters, PathId, page_response
from ingress.http.urls import API
from ingress.sql.hidden_ids import HiddenMessageEntry
from ingress.webhooks.hidden_ids import HiddenIds
from spreader.http.openapi import PageBody


@dataclass(frozen=True, slots=True)
class HiddenMessagesEndpoint:
    hidden_ids: HiddenIds
    config_cache: IngressConfigCache

    async def page(self, package_id: PathId, page_request: PageParameters) -> Response:
        package_id = self.config_cache.require_package(package_id).package_id
        profile_id, hidden_id, message_id = json.loads(page_request.after or '["", "", ""]')
        after = profile_id, hidden_id, message_id
        entries = await self.hidden_ids.page(package_id, after, page_request.read_limit)
        cursors = [json.dumps([entry.profile_id, entry.hidden_id, entry.message_id]) for entry in entries]
        return page_response(page_request, cursors, [asdict(entry) for entry in entries]).render()

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=API, tags=["consent"])
        add_route(
            router,
            "GET",
            "/packages/{package_id}/hidden-messages",
            self.page,
            "listHiddenMessages",
            "List messages of people whose number is not known",
            shape=PageBody[HiddenMessageEntry],
            response=EXAMPLE,
            problems=(400, 404, 422),
        )
        return router


EXAMPLE: dict[str, Any] = {
    "data": [
        {
            "profile_id": "profile_1",
            "hidden_id": "123456789012345@lid",
            "message_id": "3EB0A1",
            "kind": "text",
            "text": "STOP",
            "at": "2024-02-08T18:46:00Z",
        }
    ],
    "next_cursor": None,
}
