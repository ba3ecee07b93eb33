"""Webhooks: what the simulator reports, turned into events before it hears that we have it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

from ingress import bodies
from ingress.answers import Answer
from ingress.configured import Configured
from ingress.guard import API
from ingress.hearing import Hearing
from ingress.metrics import WEBHOOKS
from ingress.openapi import describe
from ingress.pages import PathId
from ingress.problems import not_found, unavailable
from ingress.status_view import StatusView
from spreader.bus import Bus
from spreader.configuration import Profile
from spreader.events import CustomerMessage, DeliveryOutcome
from spreader.ids import Id, PhoneNumber

BODY_BYTES_MAX = 256 * 1024

GatewayId = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class _Report(BaseModel):
    """What a gateway says; fields that a newer gateway adds are no fault."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    at: AwareDatetime
    message_id: GatewayId


class Receipt(_Report):
    event: Literal["receipt"]
    delivery_id: Id
    status: Literal["delivered", "read", "failed"]
    reason: str | None = Field(default=None, max_length=1_000)


class Customer(_Report):
    event: Literal["message"]
    sender: PhoneNumber = Field(alias="from")
    type: str = Field(default="text", min_length=1, max_length=32)
    text: str | None = Field(default=None, max_length=65_536)


_REPORT: TypeAdapter[Receipt | Customer] = TypeAdapter(Annotated[Receipt | Customer, Field(discriminator="event")])


@dataclass(frozen=True, slots=True)
class SimulatorWebhook:
    bus: Bus
    configured: Configured
    view: StatusView
    hearing: Hearing

    async def take(self, package_id: PathId, profile_id: PathId, request: Request) -> Response:
        profile = self._profile(package_id, profile_id)
        report = bodies.parsed(_REPORT, await bodies.read(request, BODY_BYTES_MAX), tagged=True)
        if isinstance(report, Receipt):
            await self.bus.publish(_outcome(profile, report, await self._delivery(package_id, profile_id, report)))
        else:
            await self.hearing.hear(_customer_message(package_id, profile, report))
        WEBHOOKS.labels("simulator", report.event).inc()
        return Answer(200, {"status": "taken"}).response()

    def _profile(self, package_id: str, profile_id: str) -> Profile:
        profile = self.configured.package(package_id).profile(profile_id)
        if profile is None or profile.gateway.driver != "simulator":
            raise not_found("profile of the simulator", profile_id)
        return profile

    async def _delivery(self, package_id: str, profile_id: str, report: Receipt) -> Mapping[str, Any]:
        """The delivery that a receipt is about; one that is not known yet will be when the gateway tries again."""
        row = await self.view.delivery(report.delivery_id)
        if row is None:
            raise unavailable(f"The delivery {report.delivery_id} is not known yet. Report it again.")
        if row["package_id"] != package_id or row["profile_id"] not in (profile_id, None):
            raise not_found("delivery of this profile", report.delivery_id)
        return row

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=f"{API}/webhooks/simulator", tags=["webhooks"])
        describe(router, "POST", "/{package_id}/{profile_id}", self.take, "reportFromSimulator",
                 "Where the simulator reports", body=Receipt | Customer, examples=EXAMPLES, secured=False,
                 problems=(400, 404, 413, 422, 503))  # fmt: skip
        return router


def _outcome(profile: Profile, receipt: Receipt, delivery: Mapping[str, Any]) -> DeliveryOutcome:
    failed = receipt.status == "failed"
    return DeliveryOutcome(
        package_id=delivery["package_id"],
        message_id=delivery["message_id"],
        delivery_id=receipt.delivery_id,
        recipient=delivery["recipient"],
        lane=delivery["lane"],
        status=receipt.status,
        at=receipt.at,
        profile_id=profile.profile_id,
        attempt=delivery["attempt"],
        reason=(receipt.reason or "the gateway reported a failure after it had taken the message") if failed else None,
        failure="gateway" if failed else None,
        gateway_message_id=receipt.message_id,
    )


def _customer_message(package_id: str, profile: Profile, said: Customer) -> CustomerMessage:
    return CustomerMessage(
        package_id=package_id,
        profile_id=profile.profile_id,
        recipient=said.sender,
        gateway_message_id=said.message_id,
        kind=said.type,
        text=said.text,
        at=said.at,
    )


EXAMPLES: dict[str, dict[str, Any]] = {
    "receipt": {
        "event": "receipt",
        "delivery_id": "dlv_0f3c",
        "message_id": "sim_17",
        "to": "201001234567",
        "status": "delivered",
        "at": "2024-02-08T18:45:14Z",
    },
    "message": {
        "event": "message",
        "message_id": "sim_18",
        "from": "201001234567",
        "type": "text",
        "text": "When does it come?",
        "at": "2024-02-08T18:46:00Z",
    },
}
