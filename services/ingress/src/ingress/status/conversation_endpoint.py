"""Conversation endpoint: asks the router which profile a customer talks to, since when and why."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from ingress.configuration.config_cache import IngressConfigCache
from ingress.http.dialled_numbers import dialled_number
from ingress.http.openapi import add_route
from ingress.http.pagination import PathId
from ingress.http.responses import ApiResponse, with_optional_key
from ingress.http.urls import API
from spreader.contract.answers import ConversationResponse
from spreader.contract.ids import PhoneNumber
from spreader.http.problems import not_found
from spreader.http.service_client import ServiceClient, require_body


@dataclass(frozen=True, slots=True)
class ConversationEndpoint:
    config_cache: IngressConfigCache
    router: ServiceClient

    async def get(self, package_id: PathId, recipient: Annotated[PhoneNumber, Path()]) -> Response:
        package = self.config_cache.require_package(package_id)
        recipient = dialled_number(recipient, package.default_country, "/path/recipient")
        response = await self.router.query(f"/packages/{package_id}/conversations/{recipient}")
        if response is None:
            raise not_found("conversation with", recipient)
        body = require_body(response, "The router does not know the conversation yet.")
        return ApiResponse(200, with_optional_key(body)).render()

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=f"{API}/packages/{{package_id}}/conversations", tags=["messages"])
        add_route(
            router,
            "GET",
            "/{recipient}",
            self.get,
            "getConversation",
            "Which profile a customer talks to",
            shape=ConversationResponse,
            response=CONVERSATION_EXAMPLE,
            problems=(404, 422, 503),
        )
        return router


CONVERSATION_EXAMPLE: dict[str, Any] = {
    "conversation_id": "conv_3c08u7j4800bgdm2i2i6fk70vc",
    "package_id": "pkg_orders",
    "recipient": "201001234567",
    "profile_id": "profile_2",
    "customer_at": "2024-02-10T10:00:00Z",
    "sent_at": "2024-02-10T10:00:02Z",
    "warm": True,
    "over": False,
    "history": [
        {"profile_id": "profile_2", "at": "2024-02-10T10:00:00Z", "cause": "the customer wrote"},
        {"profile_id": "profile_1", "at": "2024-02-08T18:45:12Z", "cause": "we wrote"},
    ],
}
