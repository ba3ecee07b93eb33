"""Deliveries: what became of each, shown with the full recipient, whom the caller named. Logs never show one."""

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Response

from ingress.answers import Answer
from ingress.guard import API
from ingress.openapi import describe
from ingress.pages import PathId
from ingress.problems import not_found
from ingress.status_view import StatusView


@dataclass(frozen=True, slots=True)
class Deliveries:
    view: StatusView

    async def get(self, delivery_id: PathId) -> Response:
        row = await self.view.delivery(delivery_id)
        if row is None:
            raise not_found("delivery", delivery_id)
        return Answer(200, row).response()

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=f"{API}/deliveries", tags=["messages"])
        describe(router, "GET", "/{delivery_id}", self.get, "getDelivery", "What became of one delivery",
                 answer=ANSWER, problems=(404,))  # fmt: skip
        return router


ANSWER: dict[str, Any] = {
    "delivery_id": "dlv_0f3c",
    "message_id": "msg_abc123",
    "package_id": "pkg_orders",
    "lane": "open",
    "recipient": "201001234567",
    "profile_id": "profile_1",
    "status": "delivered",
    "attempt": 1,
    "index": 0,
    "reason": None,
    "failure": None,
    "gateway_message_id": "sim_17",
    "sent_at": "2024-02-08T18:45:12Z",
    "updated_at": "2024-02-08T18:45:14Z",
}
