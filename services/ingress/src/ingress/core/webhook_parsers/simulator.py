"""Simulator parser: parses the simulator's own format. Each call contains one report and has no signature."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter
from pydantic_core import to_json

from ingress.core.reports import AddressedReport, InboundMessage, MessageReceipt
from ingress.core.untrusted_json import not_after
from ingress.core.webhook_parsers import Refusal, Secrets, WebhookCall
from spreader.contract.ids import Id, PhoneNumber
from spreader.text import lenient_json
from spreader.text.clean_text import ID_CHARACTERS_MAX, CleanText, clean, clean_id

NO_REASON = "the gateway reported a failure after it had taken the message"


def _clean(value: Any) -> Any:
    return clean(value) if isinstance(value, str) else value


def _clean_id(value: Any) -> Any:
    return clean_id(value) if isinstance(value, str) else value


Text = Annotated[CleanText, Field(max_length=65_536), BeforeValidator(_clean)]
MessageId = Annotated[CleanText, Field(min_length=1, max_length=ID_CHARACTERS_MAX), BeforeValidator(_clean_id)]


class _SimulatorReport(BaseModel):
    """Unknown fields are ignored, so that a newer simulator may add fields."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    at: AwareDatetime
    message_id: MessageId


class SimulatorReceipt(_SimulatorReport):
    event: Literal["receipt"]
    delivery_id: Id
    status: Literal["delivered", "read", "failed"]
    reason: Annotated[CleanText, Field(max_length=1_000), BeforeValidator(_clean)] | None = None


class SimulatorMessage(_SimulatorReport):
    event: Literal["message"]
    sender: PhoneNumber = Field(alias="from")
    type: Annotated[CleanText, Field(min_length=1, max_length=32), BeforeValidator(_clean_id)] = clean("text")
    text: Text | None = None


_BODY: TypeAdapter[SimulatorReceipt | SimulatorMessage] = TypeAdapter(
    Annotated[SimulatorReceipt | SimulatorMessage, Field(discriminator="event")]
)


class SimulatorParser:
    secret_name = None

    def refusal(self, call: WebhookCall, secrets: Secrets) -> Refusal | None:
        return None

    def parse(self, body: bytes, now: datetime) -> list[AddressedReport]:
        """The one report of a call. An invalid body raises pydantic's ValidationError with the invalid field."""
        parsed = _BODY.validate_json(to_json(lenient_json.parse(body)))
        at = not_after(now, parsed.at)
        if isinstance(parsed, SimulatorMessage):
            message = InboundMessage(parsed.message_id, clean(parsed.sender), parsed.type, parsed.text, at)
            return [AddressedReport(message)]
        has_failed = parsed.status == "failed"
        receipt = MessageReceipt(
            parsed.message_id,
            parsed.status,
            at,
            clean(parsed.delivery_id),
            failure="gateway" if has_failed else None,
            reason=(parsed.reason or NO_REASON) if has_failed else None,
        )
        return [AddressedReport(receipt)]
