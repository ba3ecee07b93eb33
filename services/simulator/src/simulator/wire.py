"""Wire: the JSON shapes that come in and go out over HTTP."""

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
from simulator.core.failures import FAILURES, IN_OTHER_WORDS, Driver, Told
from simulator.core.faults import THROTTLED, Fault, Kind, Moment
from spreader.contract.content import CONTENT, Content, Text, WebAddress
from spreader.contract.ids import Id, PhoneNumber

ACCOUNT_CHARACTERS_MAX = 128
Engine = Literal["NOWEB", "WEBJS", "GOWS"]
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


class AccountRegistration(Registration):
    """An account at one of the gateways that we stand in for, as its operator or Meta's dashboard sets it up."""

    phone: PhoneNumber
    credentials: dict[str, str] = Field(repr=False)
    waba_id: str | None = Field(default=None, pattern="^[0-9]{1,20}$", description="Cloud API: the business account.")
    engine: Engine = Field(default="NOWEB", description="WAHA: whose shapes it answers in.")
    behaviour: Behaviour = Behaviour()


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

    model_config = ConfigDict(populate_by_name=True)

    kind: Kind
    profile: Account | None = Field(default=None, description="The profile's id or its account; null: all.")
    recipient: PhoneNumber | None = None
    count: PositiveInt | None = Field(default=None, description="Ends after so many hits; null: never.")
    every: PositiveInt | None = Field(default=None, description="Hits every so many-th send that matches; null: all.")
    driver: Driver | None = Field(default=None, description="Only sends over this wire; null: over any.")
    code: str = Field(default="transient", description="Any of the driver's failures, or one of our own five.")
    told: Told | None = Field(default=None, alias="as", description="null: as the gateway usually tells it.")
    seconds: float | None = Field(default=None, gt=0, le=FAULT_SECONDS_MAX, description="Real seconds.")
    at: Moment = Field(default="before", description="Before or after the ledger line is written.")

    @field_validator("code", "told", "seconds", "at")
    @classmethod
    def _fits_the_kind(cls, value: object, field: ValidationInfo) -> object:
        kind, throttled = field.data.get("kind"), field.data.get("code") in THROTTLED
        fits = {
            "code": kind in ("fail", "fail_after_sending"),
            "told": kind == "fail",
            "seconds": kind in ("delay", "hang", "late_receipts") or throttled,
            "at": kind in ("fail", "delay", "hang", "die") and field.data.get("told") != "receipt",
        }
        if kind is not None and value is not None and not fits[str(field.field_name)]:
            raise ValueError(f"means nothing for this fault of kind {kind!r}: leave it out")
        return value

    @field_validator("code")
    @classmethod
    def _is_known(cls, code: str, field: ValidationInfo) -> str:
        driver = field.data.get("driver")
        known = {*FAILURES[driver], *IN_OTHER_WORDS[driver]} if driver else {*FAILURES["simulator"]}
        if code not in known:
            raise ValueError(
                f"{code!r} is no failure of {driver or 'every driver'}: choose from {', '.join(sorted(known))}"
            )
        return code

    @field_validator("told")
    @classmethod
    def _can_be_told(cls, told: Told | None, field: ValidationInfo) -> Told | None:
        driver, code = field.data.get("driver"), field.data.get("code")
        known = FAILURES[driver].get(code) if driver and code else None
        if told == "receipt" and known is not None and known.only_answered:
            raise ValueError(f"{code!r} is a failure of the transport: no receipt can tell of it")
        return told

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
            told=self.told,
            seconds=self.seconds or (HANG_SECONDS if self.kind == "hang" else DELAY_SECONDS),
            at=self.at,
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
