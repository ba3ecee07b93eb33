"""Wire: the JSON shapes that come in and go out over HTTP."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from simulator.core.customers import Receipt
from simulator.core.faults import Code, Fault, Kind, Moment
from spreader.content import CONTENT, Content, Text, WebAddress
from spreader.ids import Id, PhoneNumber

ACCOUNT_CHARACTERS_MAX = 128
FAULT_SECONDS_MAX = 3600.0
DELAY_SECONDS = 1.0
HANG_SECONDS = 600.0

Account = Annotated[str, StringConstraints(min_length=1, max_length=ACCOUNT_CHARACTERS_MAX)]
"""A profile's name at the gateway."""


class Body(BaseModel):
    """What somebody posts: immutable, and a field that we do not know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Registration(Body):
    """The profile behind an account, and where its webhook is."""

    profile_id: Id
    package_id: Id
    webhook_url: WebAddress = Field(examples=["http://127.0.0.1:8000/api/v1/webhooks/simulator/pkg_1/prf_1"])


class SendRequest(BaseModel):
    """A delivery; all other fields are its content (`type`, `text`, `media`, …)."""

    model_config = ConfigDict(
        frozen=True,
        extra="allow",
        json_schema_extra={
            "examples": [{"delivery_id": "dlv_1", "to": "201001234567", "type": "text", "text": "Hello!"}]
        },
    )

    delivery_id: Id
    to: PhoneNumber

    def content(self) -> Content:
        """Strict: raises pydantic's `ValidationError` for an unknown type or field."""
        return CONTENT.validate_python(self.model_extra)


class CustomerWrites(Body):
    profile: Account = Field(description="The profile's id or its account.")
    text: Text


class FaultRequest(Body):
    """A switch; README.md says what each does."""

    kind: Kind
    profile: Account | None = Field(default=None, description="The profile's id or its account; null: all.")
    recipient: PhoneNumber | None = None
    count: PositiveInt | None = Field(default=None, description="Ends after so many hits; null: never.")
    every: PositiveInt | None = Field(default=None, description="Hits every so many-th send that matches; null: all.")
    code: Code = "transient"
    seconds: float | None = Field(default=None, gt=0, le=FAULT_SECONDS_MAX, description="Real seconds.")
    at: Moment = Field(default="before", description="Before or after the ledger line is written.")

    @field_validator("code", "seconds", "at")
    @classmethod
    def _fits_the_kind(cls, value: object, field: ValidationInfo) -> object:
        kind, throttled = field.data.get("kind"), field.data.get("code") == "throttled"
        fits = {
            "code": kind in ("fail", "fail_after_sending"),
            "seconds": kind in ("delay", "hang") or throttled,
            "at": kind in ("fail", "delay", "hang", "die"),
        }
        if kind is not None and value is not None and not fits[str(field.field_name)]:
            raise ValueError(f"means nothing for this fault of kind {kind!r}: leave it out")
        return value

    def fault(self, fault_id: str) -> Fault:
        return Fault(
            fault_id,
            self.kind,
            profile=self.profile,
            recipient=self.recipient,
            count=self.count,
            every=self.every or 1,
            code=self.code,
            seconds=self.seconds or (HANG_SECONDS if self.kind == "hang" else DELAY_SECONDS),
            at=self.at,
        )


def receipt_body(receipt: Receipt, delivery_id: str, message_id: str, to: str) -> bytes:
    return _json(
        event="receipt",
        delivery_id=delivery_id,
        message_id=message_id,
        to=to,
        status=receipt.status,
        at=rfc3339(receipt.at),
    )


def customer_message_body(message_id: str, phone: str, text: str, at: str) -> bytes:
    return _json(
        **{"event": "message", "message_id": message_id, "from": phone, "type": "text", "text": text, "at": at}
    )


def problem(code: str, message: str, **more: Any) -> dict[str, Any]:
    """The one shape of an error."""
    return {"error": {"code": code, "message": message, **more}}


def rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def field_errors(errors: list[Any], strip: int) -> list[dict[str, str]]:
    """pydantic's errors as JSON pointers; `strip` says how many leading names are not the caller's."""
    return [
        {
            "pointer": "".join(f"/{name}" for name in error["loc"][strip:]),
            "detail": error["msg"].removeprefix("Value error, "),
        }
        for error in errors
    ]


def content_errors(error: ValidationError) -> list[dict[str, str]]:
    """The errors of a content. The first name in pydantic's place is the type that it chose; none: a wrong type."""
    found = field_errors(list(error.errors(include_url=False)), strip=1)
    return [each if each["pointer"] else each | {"pointer": "/type"} for each in found]


def _json(**fields: str) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()
