"""Simulator: its own wire. It proves nothing and says one thing a call, in a strict shape."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

from ingress.core import reports
from ingress.core.reports import Report, Words
from ingress.core.tree import not_after
from ingress.core.webhook_parsers import Call, Refusal, Secrets
from spreader.contract.events import GatewayMessageId
from spreader.contract.ids import Id, PhoneNumber

NO_REASON = "the gateway reported a failure after it had taken the message"

Text = Annotated[str, StringConstraints(max_length=65_536, pattern=r"^[^\x00]*$")]


class _Said(BaseModel):
    """What the simulator says; fields that a newer one adds are no fault."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    at: AwareDatetime
    message_id: GatewayMessageId


class Receipt(_Said):
    event: Literal["receipt"]
    delivery_id: Id
    status: Literal["delivered", "read", "failed"]
    reason: str | None = Field(default=None, max_length=1_000)


class Customer(_Said):
    event: Literal["message"]
    sender: PhoneNumber = Field(alias="from")
    type: str = Field(default="text", min_length=1, max_length=32)
    text: Text | None = None


SHAPE: TypeAdapter[Receipt | Customer] = TypeAdapter(Annotated[Receipt | Customer, Field(discriminator="event")])


class Simulator:
    secret = None

    def refusal(self, call: Call, secrets: Secrets) -> Refusal | None:
        return None

    def reports(self, body: bytes, now: datetime) -> list[Report]:
        """Raises pydantic's ValidationError, with the field."""
        said = SHAPE.validate_json(body)
        at = not_after(now, said.at)
        if isinstance(said, Customer):
            return [Report(Words(said.message_id, said.sender, said.type, said.text, at))]
        failed = said.status == "failed"
        return [
            Report(
                reports.Receipt(
                    said.message_id, said.status, at, said.delivery_id,
                    failure="gateway" if failed else None,
                    reason=(said.reason or NO_REASON) if failed else None,
                )
            )
        ]  # fmt: skip
