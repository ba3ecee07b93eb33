"""Delivery endpoint: the status of one delivery, and why it waits. Responses show the phone number, logs do not."""

import asyncio
from dataclasses import asdict, dataclass
from typing import Any, NotRequired

from fastapi import APIRouter, Response
from typing_extensions import TypedDict

from ingress.http.openapi import add_route
from ingress.http.pagination import PathId
from ingress.http.responses import ApiResponse, with_optional_key
from ingress.http.urls import API
from ingress.sql.status import ShownDelivery
from ingress.status.projection import StatusProjection
from spreader.contract.answers import HeldPacedDelivery, PacedDelivery, RoutingResponse
from spreader.http.openapi import derived
from spreader.http.problems import not_found
from spreader.http.service_client import ServiceClient, ServiceResponse, ServiceUnavailable


class MissingPart(TypedDict):
    """`note` says why this part of an explanation is missing."""

    note: str


ExplainedDelivery = derived(
    "ExplainedDelivery",
    ShownDelivery,
    recipient_key=NotRequired[str | None],
    routing=RoutingResponse | MissingPart,
    pacing=HeldPacedDelivery | PacedDelivery | MissingPart,
)


@dataclass(frozen=True, slots=True)
class DeliveryEndpoint:
    projection: StatusProjection
    router: ServiceClient
    pacer: ServiceClient

    async def get(self, delivery_id: PathId) -> Response:
        return ApiResponse(200, with_optional_key(asdict(await self._delivery(delivery_id)))).render()

    async def explain(self, delivery_id: PathId) -> Response:
        """The status, and the parts `routing` from the router and `pacing` from the pacer.

        If a part is not available, a note says why. A reply has only notes, because replies are neither distributed nor
        paced.
        """
        delivery = await self._delivery(delivery_id)
        routing: ServiceResponse = ServiceUnavailable("a reply goes through the profile that the customer talks to")
        pacing: ServiceResponse = ServiceUnavailable("a reply is never paced")
        if delivery.lane == "open":
            routing, pacing = await asyncio.gather(
                self.router.query(f"/messages/{delivery.message_id}/routing?index={delivery.index or 0}"),
                self.pacer.query(f"/deliveries/{delivery_id}/explain"),
            )
        body = with_optional_key(asdict(delivery))
        return ApiResponse(200, {**body, "routing": _part(routing), "pacing": _part(pacing)}).render()

    async def _delivery(self, delivery_id: str) -> ShownDelivery:
        delivery = await self.projection.delivery(delivery_id)
        if delivery is None:
            raise not_found("delivery", delivery_id)
        return delivery

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=f"{API}/deliveries", tags=["messages"])
        add_route(
            router,
            "GET",
            "/{delivery_id}",
            self.get,
            "getDelivery",
            "The status of one delivery",
            shape=ShownDelivery,
            response=DELIVERY_EXAMPLE,
            problems=(404,),
        )
        add_route(
            router,
            "GET",
            "/{delivery_id}/explain",
            self.explain,
            "explainDelivery",
            "Why a delivery has its profile, and what it waits for",
            shape=ExplainedDelivery,
            response=EXPLANATION_EXAMPLE,
            problems=(404,),
        )
        return router


def _part(response: ServiceResponse) -> dict[str, Any]:
    if response is None:
        return {"note": "the service has no record of the delivery: it has not arrived yet, or ended over a week ago"}
    return {"note": response.reason} if isinstance(response, ServiceUnavailable) else response


DELIVERY_EXAMPLE: dict[str, Any] = {
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
    "accepted_at": "2024-02-08T18:45:10Z",
    "sent_at": "2024-02-08T18:45:12Z",
    "delivered_at": "2024-02-08T18:45:14Z",
    "read_at": None,
    "updated_at": "2024-02-08T18:45:14Z",
    "resent_as": None,
}
EXPLANATION_EXAMPLE: dict[str, Any] = {
    **DELIVERY_EXAMPLE,
    "status": "held",
    "routing": {
        "strategy": "round_robin",
        "profile_id": "profile_1",
        "shared_with": {"profile_1": 2, "profile_2": 1},
        "passed_over": {"profile_3": "paused by an operator"},
        "reasons": {},
        "refused": None,
        "waiting": None,
    },
    "pacing": {
        "delivery_id": "dlv_0f3c",
        "state": "held",
        "profile_id": "profile_1",
        "waiting_since": None,
        "attempt": 1,
        "tried": [],
        "waits_as": "ordinary",
        "asked_at": "2024-02-10T10:00:00Z",
        "not_before": "2024-02-10T10:00:00Z",
        "put_off_by": None,
        "timing": None,
        "cold_contact": True,
        "ahead": 4,
        "ahead_counted_to": 10_000,
        "released_at": None,
        "reason": None,
        "next_release": "2024-02-10T10:09:00Z",
        "bound": "gap",
        "bounds": {"gap": "2024-02-10T10:09:00Z", "hour limit": "2024-02-10T10:02:00Z"},
        "why": "The gap after the profile's last release is not over.",
    },
}
