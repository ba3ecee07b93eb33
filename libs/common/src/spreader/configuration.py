"""Configuration: what operators set for a package and its profiles, as every service reads it."""

from datetime import time, timedelta
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveInt

from spreader.ids import Id, PhoneNumber, ProfileId

Distribution = Literal["round_robin", "random", "weighted", "smart"]
WaitingStrategy = Literal["immediate", "queued", "scheduled", "drip", "smart"]
Driver = Literal["simulator", "cloud_api", "waha", "evolution"]


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name!r} is not a time zone of the IANA list, such as Africa/Cairo")
    return name


TimeZone = Annotated[str, AfterValidator(_known_zone)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Seconds = Annotated[int, Field(ge=1, le=86_400)]


class Setting(BaseModel):
    """A group of settings: immutable. A reader ignores fields that it does not know: writers may be newer."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ProfileLimits(Setting):
    """What one profile may send in the open lane; all windows roll, none starts at midnight."""

    per_hour: PositiveInt = 20
    per_3_hours: PositiveInt = 50
    per_day: PositiveInt = 120
    new_contacts_per_day: PositiveInt | None = None
    per_recipient_per_day: PositiveInt | None = 2


class PackageLimits(Setting):
    """What all profiles of a package may do together in the open lane."""

    per_day: PositiveInt | None = None
    concurrent_sends: PositiveInt = 10


class RestWindow(Setting):
    """The hours in which a profile is frozen, by the package's own time zone."""

    start: time = time(1, 0)
    hours: float = Field(default=4, gt=0, lt=24)

    @property
    def length(self) -> timedelta:
        return timedelta(hours=self.hours)


class Gap(Setting):
    """The time between two releases of one profile; without bounds of the operator's it follows from the limits."""

    min_seconds: Seconds | None = None
    max_seconds: Seconds | None = None
    rush_over: Annotated[int, Field(ge=1, le=1000)] = 10


class Gateway(Setting):
    """Where a profile is reached, and its name there. Credentials are not part of it: they never travel in an event."""

    driver: Driver
    base_url: str
    account: str


class Profile(Setting):
    """One WhatsApp account, with the limits that hold for it (the package's, with its own on top)."""

    profile_id: Id
    name: Name
    phone: PhoneNumber
    weight: Annotated[int, Field(ge=1, le=100)] | None = None
    paused: bool = False
    limits: ProfileLimits = ProfileLimits()
    gateway: Gateway


class Package(Setting):
    """A package and its profiles: one full snapshot. `version` grows with every change."""

    package_id: Id
    version: PositiveInt
    name: Name
    timezone: TimeZone = "UTC"
    distribution: Distribution = "round_robin"
    limits: PackageLimits = PackageLimits()
    profile_limits: ProfileLimits = ProfileLimits()
    rest_window: RestWindow | None = RestWindow()
    gap: Gap = Gap()
    paused: bool = False
    profiles: tuple[Profile, ...] = ()

    def profile(self, profile_id: str) -> Profile | None:
        return next((profile for profile in self.profiles if profile.profile_id == profile_id), None)

    @property
    def profile_ids(self) -> tuple[ProfileId, ...]:
        return tuple(ProfileId(profile.profile_id) for profile in self.profiles)
