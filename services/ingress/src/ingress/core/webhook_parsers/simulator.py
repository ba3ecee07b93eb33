"""Simulator parser: the simulator's own format. Its calls carry no signature, and each contains one report."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

from ingress.core.reports import AddressedReport, InboundMessage, MessageReceipt
from ingress.core.untrusted_json import not_after
from ingress.core.webhook_parsers import Refusal, Secrets, WebhookCall
from spreader.contract.events import GatewayMessageId
from spreader.contract.ids import Id, PhoneNumber

NO_REASON = "the gateway reported a failure after it had taken the message"

Text = Annotated[str, StringConstraints(max_length=65_536, pattern=r"^[^\x00]*$")]


class _SimulatorReport(BaseModel):
    """Unknown fields are ignored, so that a newer simulator may add some."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    at: AwareDatetime
    message_id: GatewayMessageId


class SimulatorReceipt(_SimulatorReport):
    event: Literal["receipt"]
    delivery_id: Id
    status: Literal["delivered", "read", "failed"]
    reason: str | None = Field(default=None, max_length=1_000)


class SimulatorMessage(_SimulatorReport):
    event: Literal["message"]
    sender: PhoneNumber = Field(alias="from")
    type: str = Field(default="text", min_length=1, max_length=32)
    text: Text | None = None


_BODY: TypeAdapter[SimulatorReceipt | SimulatorMessage] = TypeAdapter(
    Annotated[SimulatorReceipt | SimulatorMessage, Field(discriminator="event")]
)


class SimulatorParser:
    secret_name = None

    def refusal(self, call: WebhookCall, secrets: Secrets) -> Refusal | None:
        return None

    def parse(self, body: bytes, now: datetime) -> list[AddressedReport]:
        """The one report of a call. Raises pydantic's ValidationError, which names the invalid field."""
        parsed = _BODY.validate_json(body)
        at = not_after(now, parsed.at)
        if isinstance(parsed, SimulatorMessage):
            message = InboundMessage(parsed.message_id, parsed.sender, parsed.type, parsed.text, at)
            return [AddressedReport(message)]
        has_failed = parsed.status == "failed"
        receipt = MessageReceipt(
            parsed.message_id,
            parsed.status,
            at,
            parsed.delivery_id,
            failure="gateway" if has_failed else None,
            reason=(parsed.reason or NO_REASON) if has_failed else None,
        )
        return [AddressedReport(receipt)]
