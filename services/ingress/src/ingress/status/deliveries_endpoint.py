"""Deliveries: what became of each, shown with the full recipient, whom the caller named. Logs never show one."""

import asyncio
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Response

from ingress.http.openapi import describe
from ingress.http.pagination import PathId
from ingress.http.responses import Answer
from ingress.http.urls import API
from ingress.infra.service_client import Answered, Asked, Away
from ingress.status.projection import StatusView
from spreader.http.problems import not_found


@dataclass(frozen=True, slots=True)
class Deliveries:
    view: StatusView
    router: Asked
    pacer: Asked

    async def get(self, delivery_id: PathId) -> Response:
        row = await self.view.delivery(delivery_id)
        if row is None:
            raise not_found("delivery", delivery_id)
        return Answer(200, row).response()

    async def explain(self, delivery_id: PathId) -> Response:
        """Each part comes from the service that decided it; one that is away is named, and the others still answer."""
        row = await self.view.delivery(delivery_id)
        if row is None:
            raise not_found("delivery", delivery_id)
        routing: Answered = Away("a reply goes through the profile that the customer talks to")
        pacing: Answered = Away("a reply is never paced")
        if row["lane"] == "open":
            routing, pacing = await asyncio.gather(
                self.router.ask(f"/messages/{row['message_id']}/routing?index={row['index'] or 0}"),
                self.pacer.ask(f"/deliveries/{delivery_id}/explain"),
            )
        return Answer(200, {**row, "routing": _part(routing), "pacing": _part(pacing)}).response()

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=f"{API}/deliveries", tags=["messages"])
        describe(router, "GET", "/{delivery_id}", self.get, "getDelivery", "What became of one delivery",
                 answer=ANSWER, problems=(404,))  # fmt: skip
        describe(router, "GET", "/{delivery_id}/explain", self.explain, "explainDelivery",
                 "Why this profile, and why not yet", answer=EXPLAINED, problems=(404,))  # fmt: skip
        return router


def _part(answer: Answered) -> dict[str, Any]:
    if answer is None:
        return {"note": "nothing is kept of it: it never came here, or it ended more than a week ago"}
    return {"note": answer.why} if isinstance(answer, Away) else answer


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
EXPLAINED: dict[str, Any] = {
    **ANSWER,
    "status": "held",
    "routing": {
        "strategy": "round_robin",
        "profile_id": "profile_1",
        "shared_with": {"profile_1": 2, "profile_2": 1},
        "passed_over": {"profile_3": "paused by an operator"},
        "refused": None,
    },
    "pacing": {
        "delivery_id": "dlv_0f3c",
        "state": "held",
        "profile_id": "profile_1",
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
