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
    """A group of settings. It is immutable. Readers ignore fields that they do not know, because the writer may be
    newer than they are."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ProfileLimits(Setting):
    """What one profile may send in the open lane. All windows are rolling, so none starts at midnight."""

    per_hour: PositiveInt = 20
    per_3_hours: PositiveInt = 50
    per_day: PositiveInt = 120
    new_contacts_per_day: PositiveInt | None = None
    per_recipient_per_day: PositiveInt | None = 2
    """Open messages to one recipient in 24 hours, from all profiles of the package together."""
    unanswered_per_30_days: PositiveInt | None = 300
    """How many cold contacts of the last 30 days may be without an answer. WhatsApp limits this number too. Each answer
    makes room for one more."""


class PackageLimits(Setting):
    """What all profiles of a package may do together in the open lane."""

    per_day: PositiveInt | None = None
    concurrent_sends: PositiveInt = 10


class RestWindow(Setting):
    """The hours in which a profile sends no open messages, in the package's time zone."""

    start: time = time(1, 0)
    hours: float = Field(default=4, gt=0, lt=24)
    stagger_minutes: Annotated[int, Field(ge=0, le=60)] = 0
    """Each profile's rest begins up to this many minutes before or after `start`. For one profile, the shift is always
    the same."""

    @property
    def length(self) -> timedelta:
        return timedelta(hours=self.hours)


class ActiveWindow(Setting):
    """Hours in which profiles may send, in the package's time zone. If `end` is not later than `start`, the window ends
    on the next day."""

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
    """A new account begins with the share `from_share` of its limits. The share grows linearly and is 1 after
    `days`."""

    days: Annotated[int, Field(ge=1, le=365)] = 14
    from_share: float = Field(default=0.2, gt=0, le=1)


class Gap(Setting):
    """The time between two releases of a profile. Without `min_seconds` and `max_seconds`, it follows from the
    limits."""

    min_seconds: Seconds | None = None
    max_seconds: Seconds | None = None
    rush_over: Annotated[int, Field(ge=1, le=1000)] = 10
    spread: float | None = Field(default=None, ge=0.2, le=0.6)
    """How far gaps may be from their mean, as a share of the mean. Each profile uses its own value near this one. None:
    the value is derived from the package's id."""
    rush_factor: float = Field(default=2.0, ge=1, le=10)
    """The factor of a gap while more than `rush_over` deliveries wait."""
    calm_factor: float = Field(default=0.5, ge=0.1, le=1)
    """The factor of a gap while fewer than `rush_over` deliveries wait."""
    tempo_min: float = Field(default=0.5, ge=0.1, le=1)
    tempo_max: float = Field(default=2.0, ge=1, le=10)
    """The lowest and the highest tempo are `tempo_min` and `tempo_max`. The tempo is the factor of a gap that follows
    from the releases of the last two hours."""
    calm_tempo: float = Field(default=0.15, ge=0, le=10)
    """How far the tempo may move the mean gap while fewer than `rush_over` deliveries wait, as a share of `spread`."""
    fastest: float = Field(default=0.75, ge=0.1, le=1)
    """The smallest mean gap, as a share of the gap that uses up an hour's limit evenly."""
    slack: float = Field(default=0.08, ge=0, le=1)
    """The largest random delay of a release after a full limit has room again, as a share of the base gap."""
    pairs_under: float = Field(default=0.8, ge=0, le=1)
    """While few deliveries wait and the day limit is full, releases may go in pairs. They do so if the profile released
    less than this share of the expected number at the same time of the day before. 0: never."""


class Gateway(Setting):
    """The gateway of a profile, and the profile's name there. Credentials are always encrypted (`spreader.vault`)."""

    driver: Driver
    base_url: str
    account: str
    sealed: str | None = Field(default=None, repr=False)
    """The encrypted credentials. None: the profile has no credentials."""
    holder: str | None = None
    """The owner of the access token or business account. Profiles with the same holder are restricted together. None:
    no other profile uses the same token or business account."""
    holder_since: AwareDatetime | None = None
    """When the profile got this holder. None: an older version stored it. Evidence from before that time concerns the
    other profiles of the holder, but not this one."""


class Profile(Setting):
    """One WhatsApp account. `limits` are the limits that the operator set: those of the package, except where the
    profile has its own."""

    profile_id: Id
    name: Name
    phone: PhoneNumber
    weight: Annotated[int, Field(ge=1, le=100)] | None = None
    paused: bool = False
    backup: bool = False
    """A backup gets open deliveries only while no other profile of the package can send. When another profile can send
    again, the backup keeps the deliveries that it has."""
    limits: ProfileLimits = ProfileLimits()
    warm_up_from: AwareDatetime | None = None
    """The time at which the account was registered at WhatsApp. None: so long ago that the account needs no warm-up."""
    created_at: AwareDatetime | None = None
    """When the profile was added. Evidence from before that time concerns an earlier profile with the same id. None: an
    older version published it."""
    gateway: Gateway


class Package(Setting):
    """A full snapshot of a package and its profiles. `version` grows with every change."""

    package_id: Id
    version: PositiveInt
    name: Name
    timezone: TimeZone = "UTC"
    default_country: str | None = None
    """The ISO 3166 code of the country in which the recipients' national numbers are dialled. None: every number must
    have its country's code."""
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
    """Opt-out words of this package, in addition to those of all packages. A customer opts out with a message that is
    only such a word."""
    opt_out_words_ignored: tuple[str, ...] = ()
    """Opt-out words of all packages that are none in this package, such as the text of one of its buttons."""
    keep_profile_per_customer: bool = False
    """Not only replies, but also open messages go through the profile of the recipient's conversation. The distribution
    then does not matter."""
    reply_failover: bool = True
    """A reply goes through another profile while the profile of the conversation cannot send."""
    conversation_days: Annotated[int, Field(ge=1, le=3650)] = 180
    """After this many days without a message, a conversation no longer binds the customer to its profile."""
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
