"""Configuration: the settings of a package and its profiles, as published to all services."""

from collections.abc import Mapping
from datetime import time, timedelta
from functools import cached_property
from typing import Annotated, Literal, Self
from zoneinfo import available_timezones

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, PositiveInt

from spreader.contract.ids import Id, PhoneNumber, ProfileId

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
    """A group of settings: immutable. Unknown fields are ignored, because a writer may be newer than its readers."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ProfileLimits(Setting):
    """What one profile may send in the open lane. All windows are rolling; none starts at midnight."""

    per_hour: PositiveInt = 20
    per_3_hours: PositiveInt = 50
    per_day: PositiveInt = 120
    new_contacts_per_day: PositiveInt | None = None
    per_recipient_per_day: PositiveInt | None = 2
    """Open messages to one recipient in 24 hours, from all profiles of the package together."""
    unanswered_per_30_days: PositiveInt | None = 300
    """How many cold contacts may be without an answer. WhatsApp limits this number. Each answer makes room for one."""


class PackageLimits(Setting):
    """What all profiles of a package may do together in the open lane."""

    per_day: PositiveInt | None = None
    concurrent_sends: PositiveInt = 10


class RestWindow(Setting):
    """The hours in which a profile sends no open messages, in the package's time zone."""

    start: time = time(1, 0)
    hours: float = Field(default=4, gt=0, lt=24)
    stagger_minutes: Annotated[int, Field(ge=0, le=60)] = 0
    """Each profile's rest begins up to this many minutes before or after `start`, by a fixed amount per profile."""

    @property
    def length(self) -> timedelta:
        return timedelta(hours=self.hours)


class ActiveWindow(Setting):
    """Hours in which profiles may send, in the package's time zone. An `end` not after `start` is on the next day."""

    start: time
    end: time


class QuietHours(Setting):
    """Hours in which a recipient gets no open message, in the time zone of the phone number."""

    start: time = time(21, 0)
    hours: float = Field(default=12, gt=0, lt=24)

    @property
    def length(self) -> timedelta:
        return timedelta(hours=self.hours)


class WarmUp(Setting):
    """How the limits of a new account grow: from `from_share` of them to all of them, linearly over `days`."""

    days: Annotated[int, Field(ge=1, le=365)] = 14
    from_share: float = Field(default=0.2, gt=0, le=1)


class Gap(Setting):
    """The time between two releases of a profile. If neither bound is set, it follows from the limits."""

    min_seconds: Seconds | None = None
    max_seconds: Seconds | None = None
    rush_over: Annotated[int, Field(ge=1, le=1000)] = 10
    spread: float | None = Field(default=None, ge=0.2, le=0.6)
    """How far gaps vary around their mean, as a share of it; each profile uses a value near it. None: derived from the
    package's id."""
    rush_factor: float = Field(default=2.0, ge=1, le=10)
    """The factor of a gap while more than `rush_over` deliveries wait."""
    calm_factor: float = Field(default=0.5, ge=0.1, le=1)
    """The factor of a gap while fewer wait."""
    tempo_min: float = Field(default=0.5, ge=0.1, le=1)
    tempo_max: float = Field(default=2.0, ge=1, le=10)
    """The range of the tempo, the factor of a gap that follows from the last two hours."""
    calm_tempo: float = Field(default=0.15, ge=0, le=10)
    """How far the tempo may move the mean while fewer than `rush_over` wait, as a share of the spread."""
    fastest: float = Field(default=0.75, ge=0.1, le=1)
    """The smallest mean gap, as a share of the gap that uses up an hour's limit evenly."""
    slack: float = Field(default=0.08, ge=0, le=1)
    """The largest random delay after a full limit has room again, as a share of the base gap."""
    pairs_under: float = Field(default=0.8, ge=0, le=1)
    """While few deliveries wait and the day limit is full, releases go in pairs if the profile released less than this
    share of its expected number at the same time a day ago. 0: never."""


class Gateway(Setting):
    """The gateway of a profile, and the profile's name there. Credentials are always encrypted (`spreader.vault`)."""

    driver: Driver
    base_url: str
    account: str
    sealed: str | None = Field(default=None, repr=False)
    """The encrypted credentials."""
    holder: str | None = None
    """The owner of the access token or business account; profiles with the same holder are restricted together. None:
    the profile shares it with no other."""


class Profile(Setting):
    """One WhatsApp account, with its limits in force: the package's, overridden by its own."""

    profile_id: Id
    name: Name
    phone: PhoneNumber
    weight: Annotated[int, Field(ge=1, le=100)] | None = None
    paused: bool = False
    backup: bool = False
    """It gets open deliveries only while no other profile of the package can send. It keeps what it was given."""
    limits: ProfileLimits = ProfileLimits()
    warm_up_from: AwareDatetime | None = None
    """When the account was registered at WhatsApp; None: long ago, without a warm-up."""
    gateway: Gateway


class Package(Setting):
    """A package and its profiles: a full snapshot. `version` grows with every change."""

    package_id: Id
    version: PositiveInt
    name: Name
    timezone: TimeZone = "UTC"
    distribution: Distribution = "round_robin"
    limits: PackageLimits = PackageLimits()
    profile_limits: ProfileLimits = ProfileLimits()
    rest_window: RestWindow | None = RestWindow()
    active_windows: tuple[ActiveWindow, ...] = ()
    """Empty: every hour outside the rest window."""
    recipient_quiet_hours: QuietHours | None = None
    gap: Gap = Gap()
    warm_up: WarmUp = WarmUp()
    opted_in_only: bool = False
    """Open messages go only to recipients on the package's opt-in list."""
    opt_out_words: tuple[str, ...] = ()
    """A customer whose message consists only of one of these opts out. Added to the words for all packages."""
    keep_profile_per_customer: bool = False
    """Open messages also go through the profile of the recipient's conversation, whatever the distribution."""
    reply_failover: bool = True
    """A reply goes through another profile when the customer's own cannot send."""
    conversation_days: Annotated[int, Field(ge=1, le=3650)] = 180
    """After this many days without a message, a conversation no longer binds to its profile."""
    paused: bool = False
    profiles: tuple[Profile, ...] = ()

    def profile(self, profile_id: str) -> Profile | None:
        return self._profile_index.get(ProfileId(profile_id))

    @property
    def profile_ids(self) -> tuple[ProfileId, ...]:
        return tuple(self._profile_index)

    @cached_property
    def _profile_index(self) -> Mapping[ProfileId, Profile]:
        return {ProfileId(profile.profile_id): profile for profile in self.profiles}

    def __copy__(self) -> Self:
        """The copy may get other profiles (`model_copy`), so it makes an index of its own."""
        copied = super().__copy__()
        vars(copied).pop("_profile_index", None)
        return copied
