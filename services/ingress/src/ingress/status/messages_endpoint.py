"""Messages: what became of them, and taking them back."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Response

from ingress.core.status import STATUSES, counts, message_status
from ingress.http.openapi import describe
from ingress.http.pagination import Page, PathId, page_answer
from ingress.http.problems import NOT_CANCELLABLE
from ingress.http.responses import Answer
from ingress.http.urls import API
from ingress.status.projection import Accepted, StatusView
from spreader.clock import Now
from spreader.contract.events import MessageCancelled
from spreader.http.problems import Problem, not_found
from spreader.kafka.bus import Bus

LOOK_AGAIN_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Messages:
    view: StatusView
    bus: Bus
    now: Now
    found_wait_seconds: float

    async def get(self, message_id: PathId) -> Response:
        return Answer(200, shown(*await self._found(message_id))).response()

    async def deliveries(self, message_id: PathId, page: Page) -> Response:
        await self._found(message_id)
        rows = await self.view.deliveries(message_id, page.after or "", page.read_limit)
        return page_answer(page, [row["delivery_id"] for row in rows], rows).response()

    async def cancel(self, message_id: PathId) -> Response:
        message, _ = await self._found(message_id)
        if message.lane == "reply":
            raise Problem(NOT_CANCELLABLE, f"{message_id} is a reply: it is sent at once.")
        await self.bus.publish(MessageCancelled(package_id=message.package_id, message_id=message_id, at=self.now()))
        await self.view.cancel(message_id, self.now())
        note = "What is still held stops; what has been released goes out."
        return Answer(202, {"message_id": message_id, "status": "cancelling", "note": note}).response()

    async def _found(self, message_id: str) -> tuple[Accepted, dict[str, int]]:
        """The message. Accepting one writes no row, so a missing one may be on its way here: look for a while."""
        until = time.monotonic() + self.found_wait_seconds
        while (found := await self.view.message(message_id)) is None:
            if time.monotonic() >= until:
                raise not_found("message", message_id)
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
        return found

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=f"{API}/messages", tags=["messages"])
        one = "/{message_id}"
        describe(router, "GET", one, self.get, "getMessage", "What became of a message", answer=ANSWER, problems=(404,))
        describe(router, "GET", one + "/deliveries", self.deliveries, "listDeliveries", "A message's deliveries",
                 problems=(400, 404, 422))  # fmt: skip
        describe(router, "POST", one + "/cancel", self.cancel, "cancelMessage", "Stop what is still held", status=202,
                 problems=(404, 409, 503))  # fmt: skip
        return router


def shown(message: Accepted, rows: Mapping[str, int]) -> dict[str, Any]:
    counted = counts(rows, message.recipients)
    return {
        "message_id": message.message_id,
        "package_id": message.package_id,
        "lane": message.lane,
        "type": message.kind,
        "status": message_status(counted),
        "recipients": message.recipients,
        "counts": counted,
        "accepted_at": message.accepted_at,
        "cancel_requested_at": message.cancelled_at,
    }


ANSWER: dict[str, Any] = {
    "message_id": "msg_abc123",
    "package_id": "pkg_orders",
    "lane": "open",
    "type": "text",
    "status": "in_progress",
    "recipients": 3,
    "counts": {**dict.fromkeys(STATUSES, 0), "held": 1, "sent": 2},
    "accepted_at": "2024-02-08T18:45:12Z",
    "cancel_requested_at": None,
}
