"""Schemas: the JSON bodies of requests to the simulator's own API, and of its error responses."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

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

from simulator.core.behaviour import Behaviour
from simulator.core.failures import FAILURES, GENERIC_CODES, Driver, FailureChannel
from simulator.core.faults import THROTTLED, Fault, FaultKind, FaultPoint
from spreader.contract.content import CONTENT, Content, Text, WebAddress
from spreader.contract.ids import Id, PhoneNumber

ACCOUNT_CHARACTERS_MAX = 128
Engine = Literal["NOWEB", "WEBJS", "GOWS"]
FAULT_SECONDS_MAX = 3600.0
DELAY_SECONDS = 1.0
HANG_SECONDS = 600.0

AccountName = Annotated[str, StringConstraints(min_length=1, max_length=ACCOUNT_CHARACTERS_MAX)]
"""The name that an account has at its gateway."""


class RequestModel(BaseModel):
    """A request body. Unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class OwnRegistration(RequestModel):
    """The profile that an account belongs to, and the address of the account's webhook."""

    profile_id: Id
    package_id: Id
    webhook_url: WebAddress = Field(examples=["http://127.0.0.1:8000/api/v1/webhooks/simulator/pkg_1/prf_1"])


class AccountRegistration(OwnRegistration):
    """An account of a simulated gateway, with what an operator or Meta's dashboard sets for a real one."""

    phone: PhoneNumber
    credentials: dict[str, str] = Field(repr=False)
    waba_id: str | None = Field(default=None, pattern="^[0-9]{1,20}$", description="Cloud API: the business account.")
    engine: Engine = Field(default="NOWEB", description="WAHA: the engine whose formats it uses.")
    behaviour: Behaviour = Behaviour()


class SendRequest(BaseModel):
    """A delivery to send. All fields except `delivery_id` and `to` are its content (`type`, `text`, `media`, …)."""

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
        """The content. Raises pydantic's `ValidationError` for an unknown type or field."""
        return CONTENT.validate_python(self.model_extra, extra="forbid")


class CustomerMessageRequest(RequestModel):
    profile: AccountName = Field(description="The profile's id or its account.")
    text: Text


class FaultRequest(RequestModel):
    """A fault to inject. README.md describes each kind."""

    model_config = ConfigDict(populate_by_name=True)

    kind: FaultKind
    profile: AccountName | None = Field(default=None, description="The profile's id or its account; null: all.")
    recipient: PhoneNumber | None = None
    count: PositiveInt | None = Field(default=None, description="Ends after this many hits; null: never.")
    every: PositiveInt | None = Field(default=None, description="Hits every n-th matching send; null: all.")
    driver: Driver | None = Field(default=None, description="Only sends over this gateway; null: any.")
    code: str = Field(default="transient", description="A failure code of the driver, or a generic one.")
    channel: FailureChannel | None = Field(
        default=None, alias="as", description="null: the channel that the gateway usually uses."
    )
    seconds: float | None = Field(default=None, gt=0, le=FAULT_SECONDS_MAX, description="In wall time.")
    at: FaultPoint = Field(default="before", description="Before or after the ledger line is written.")

    @field_validator("code", "channel", "seconds", "at")
    @classmethod
    def _fits_the_kind(cls, value: object, field: ValidationInfo) -> object:
        kind, throttled = field.data.get("kind"), field.data.get("code") in THROTTLED
        fits = {
            "code": kind in ("fail", "fail_after_sending"),
            "channel": kind == "fail",
            "seconds": kind in ("delay", "hang", "late_receipts") or throttled,
            "at": kind in ("fail", "delay", "hang", "die") and field.data.get("channel") != "receipt",
        }
        if kind is not None and value is not None and not fits[str(field.field_name)]:
            raise ValueError(f"not allowed for a fault of kind {kind!r}: leave it out")
        return value

    @field_validator("code")
    @classmethod
    def _is_known(cls, code: str, field: ValidationInfo) -> str:
        driver = field.data.get("driver")
        codes = {*FAILURES[driver], *GENERIC_CODES[driver]} if driver else {*FAILURES["simulator"]}
        if code not in codes:
            raise ValueError(
                f"{code!r} is not a failure of {driver or 'every driver'}: choose from {', '.join(sorted(codes))}"
            )
        return code

    @field_validator("channel")
    @classmethod
    def _channel_exists(cls, channel: FailureChannel | None, field: ValidationInfo) -> FailureChannel | None:
        driver, code = field.data.get("driver"), field.data.get("code")
        failure = FAILURES[driver].get(code) if driver and code else None
        if channel == "receipt" and failure is not None and failure.transport_only:
            raise ValueError(f"{code!r} is a failure of the transport: a receipt cannot report it")
        return channel

    def fault(self, fault_id: str) -> Fault:
        return Fault(
            fault_id,
            self.kind,
            profile=self.profile,
            recipient=self.recipient,
            driver=self.driver,
            count=self.count,
            every=self.every or 1,
            code=self.code,
            channel=self.channel,
            seconds=self.seconds or (HANG_SECONDS if self.kind == "hang" else DELAY_SECONDS),
            at=self.at,
        )


def error_body(code: str, message: str, **more: Any) -> dict[str, Any]:
    """The body of an error response of the simulator's own API."""
    return {"error": {"code": code, "message": message, **more}}


def rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def field_errors(errors: list[Any], strip: int) -> list[dict[str, str]]:
    """The errors of pydantic with JSON pointers. A pointer leaves out the first `strip` names of its location."""
    return [
        {
            "pointer": "".join(f"/{name}" for name in error["loc"][strip:]),
            "detail": error["msg"].removeprefix("Value error, "),
        }
        for error in errors
    ]


def content_errors(error: ValidationError) -> list[dict[str, str]]:
    """The errors of a content, with JSON pointers.

    Pydantic's location of an error begins with the content's type. If no name of a field follows, the type itself is
    wrong.
    """
    errors = field_errors(list(error.errors(include_url=False)), strip=1)
    return [item if item["pointer"] else item | {"pointer": "/type"} for item in errors]
