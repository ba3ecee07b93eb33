"""Package form: what an operator may set for a package and for a profile, checked field by field."""

from datetime import time
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, field_serializer, model_validator
from pydantic_core import PydanticCustomError

from spreader.configuration import Distribution, Driver, TimeZone
from spreader.ids import Id, PhoneNumber

LIMIT_MAX = 1_000_000

Limit = Annotated[int, Field(ge=1, le=LIMIT_MAX, strict=True)]
Seconds = Annotated[int, Field(ge=1, le=86_400, strict=True)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]*\S[^\x00-\x1f]*$")]
BaseUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/\x00-\x1f]+[^\s\x00-\x1f]*$", max_length=2048)]
Account = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.@+-]{1,128}$")]


class Form(BaseModel):
    """A field that we do not know is refused: it would have no effect."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PackageLimitsForm(Form):
    per_day: Limit | None = Field(default=None, description="Open messages in 24 hours over all profiles.")
    concurrent_sends: Limit = Field(default=10, description="Deliveries that may be at the gateway at one moment.")


class ProfileLimitsForm(Form):
    per_hour: Limit = 20
    per_3_hours: Limit = 50
    per_day: Limit = 120
    new_contacts_per_day: Limit | None = None
    per_recipient_per_day: Limit | None = 2


class OverridesForm(Form):
    """A profile's own limits; what is not named is the package's."""

    per_hour: Limit | None = None
    per_3_hours: Limit | None = None
    per_day: Limit | None = None
    new_contacts_per_day: Limit | None = None
    per_recipient_per_day: Limit | None = None


class RestWindowForm(Form):
    start: time = Field(
        default=time(1, 0), strict=True, examples=["01:00"], description="By the package's own time zone."
    )
    hours: Annotated[float, Field(gt=0, lt=24, strict=True, allow_inf_nan=False)] = 4

    @field_serializer("start")
    def _short(self, start: time) -> str:
        return start.isoformat("minutes" if start.second == 0 else "seconds")

    @model_validator(mode="after")
    def _plain(self) -> Self:
        if self.start.tzinfo is not None or self.start.microsecond:
            raise ValueError("`start` is a time of the day such as 01:00; the zone is the package's")
        return self


class GapForm(Form):
    min_seconds: Seconds | None = None
    max_seconds: Seconds | None = None
    rush_over: Annotated[int, Field(ge=1, le=1000, strict=True)] = 10

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min_seconds is not None and self.max_seconds is not None and self.min_seconds > self.max_seconds:
            raise ValueError(f"`min_seconds` ({self.min_seconds}) is over `max_seconds` ({self.max_seconds})")
        return self


class PackageForm(Form):
    name: Name = Field(examples=["E-Commerce Orders"])
    timezone: TimeZone = Field(default="UTC", examples=["Africa/Cairo"])
    distribution: Distribution = "round_robin"
    limits: PackageLimitsForm = PackageLimitsForm()
    profile_limits: ProfileLimitsForm = ProfileLimitsForm()
    rest_window: RestWindowForm | None = RestWindowForm()
    gap: GapForm = GapForm()

    def settings(self) -> dict[str, Any]:
        """What is kept: everything, so that a later default does not change a package that is there."""
        return self.model_dump(mode="json", exclude={"package_id"})


class NewPackage(PackageForm):
    package_id: Id | None = Field(default=None, description="Made if left out.", examples=["pkg_orders"])


def _sends_today(driver: str) -> str:
    if driver != "simulator":
        raise PydanticCustomError(
            "later_version", "sending through {driver} comes with a later version", {"driver": driver}
        )
    return driver


class GatewayForm(Form):
    driver: Annotated[Driver, AfterValidator(_sends_today)] = Field(examples=["simulator"])
    base_url: BaseUrl | None = Field(default=None, description="Of the simulator if left out.")
    account: Account | None = Field(default=None, description="The profile's name at its gateway; its id if left out.")
    credentials: dict[str, Any] | None = Field(
        default=None, exclude=True, description="The simulator needs none: what is sent here is not kept."
    )


class ProfileForm(Form):
    name: Name = Field(examples=["Sales WhatsApp #1"])
    phone: PhoneNumber = Field(examples=["201001234567"])
    weight: Annotated[int, Field(ge=1, le=100, strict=True)] | None = None
    limits: OverridesForm = OverridesForm()
    gateway: GatewayForm

    def settings(self, profile_id: str, simulator_url: str) -> dict[str, Any]:
        """What is kept: of the limits only what the profile sets itself, so that the package's show through."""
        kept = self.model_dump(mode="json", exclude={"profile_id"})
        return {
            **kept,
            "limits": self.limits.model_dump(mode="json", exclude_unset=True),
            "gateway": {
                "driver": self.gateway.driver,
                "base_url": self.gateway.base_url or simulator_url,
                "account": self.gateway.account or profile_id,
            },
        }


class NewProfile(ProfileForm):
    profile_id: Id | None = Field(default=None, description="Made if left out.", examples=["profile_1"])
