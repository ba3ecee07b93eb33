"""Configuration: what operators set for a package and its profiles, as every service reads it."""

from datetime import time, timedelta
from typing import Annotated, Literal
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
    """A group of settings: immutable. A reader ignores fields that it does not know: writers may be newer."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ProfileLimits(Setting):
    """What one profile may send in the open lane; all windows roll, none starts at midnight."""

    per_hour: PositiveInt = 20
    per_3_hours: PositiveInt = 50
    per_day: PositiveInt = 120
    new_contacts_per_day: PositiveInt | None = None
    per_recipient_per_day: PositiveInt | None = 2
    """Open messages to one recipient in 24 hours, whichever profiles of the package they came from."""
    unanswered_per_30_days: PositiveInt | None = 300
    """Cold contacts that have not answered: what WhatsApp caps. An answer gives one back."""


class PackageLimits(Setting):
    """What all profiles of a package may do together in the open lane."""

    per_day: PositiveInt | None = None
    concurrent_sends: PositiveInt = 10


class RestWindow(Setting):
    """The hours in which a profile is frozen, by the package's own time zone."""

    start: time = time(1, 0)
    hours: float = Field(default=4, gt=0, lt=24)
    stagger_minutes: Annotated[int, Field(ge=0, le=60)] = 0
    """Each profile's rest begins up to so much before or after `start`: by an amount of its own, always the same."""

    @property
    def length(self) -> timedelta:
        return timedelta(hours=self.hours)


class ActiveWindow(Setting):
    """Hours in which profiles work, by the package's own time zone; an `end` up to `start` is the next day's."""

    start: time
    end: time


class QuietHours(Setting):
    """Hours in which nothing is sent to a recipient, by the time zone of the recipient's phone number."""

    start: time = time(21, 0)
    hours: float = Field(default=12, gt=0, lt=24)

    @property
    def length(self) -> timedelta:
        return timedelta(hours=self.hours)


class WarmUp(Setting):
    """How the limits of a new account grow: from a share of them to all of them, in even steps over some days."""

    days: Annotated[int, Field(ge=1, le=365)] = 14
    from_share: float = Field(default=0.2, gt=0, le=1)


class Gap(Setting):
    """The time between two releases of one profile; without bounds of the operator's it follows from the limits."""

    min_seconds: Seconds | None = None
    max_seconds: Seconds | None = None
    rush_over: Annotated[int, Field(ge=1, le=1000)] = 10
    spread: float | None = Field(default=None, ge=0.2, le=0.6)
    """How far gaps lie around their mean, as a share of it; each profile's is near it. None: by the package's id."""
    rush_factor: float = Field(default=2.0, ge=1, le=10)
    """What a gap is multiplied by while more than `rush_over` wait."""
    calm_factor: float = Field(default=0.5, ge=0.1, le=1)
    """What a gap is multiplied by while fewer wait."""
    tempo_min: float = Field(default=0.5, ge=0.1, le=1)
    tempo_max: float = Field(default=2.0, ge=1, le=10)
    """The range of the tempo: what the last two hours make of a gap."""
    calm_tempo: float = Field(default=0.15, ge=0, le=10)
    """How far the tempo may move the mean while fewer than `rush_over` wait, as a share of the spread."""
    fastest: float = Field(default=0.75, ge=0.1, le=1)
    """The least that a mean gap may be, as a share of the gap that fills an hour's limit evenly."""
    slack: float = Field(default=0.08, ge=0, le=1)
    """How much later than a limit has room again a release may go, as a share of the base gap."""
    pairs_under: float = Field(default=0.8, ge=0, le=1)
    """Under which share of its pace a profile must have been a day ago for few that wait to take a full day's room in
    twos; 0: never."""


class Gateway(Setting):
    """Where a profile is reached, and its name there. Credentials travel sealed only (see `spreader.vault`)."""

    driver: Driver
    base_url: str
    account: str
    sealed: str | None = Field(default=None, repr=False)
    """The credentials, readable with the system's secret key alone."""
    holder: str | None = None
    """Profiles with the same holder stand or fall together: one access token, one business account. None: alone."""


class Profile(Setting):
    """One WhatsApp account, with the limits that hold for it (the package's, with its own on top)."""

    profile_id: Id
    name: Name
    phone: PhoneNumber
    weight: Annotated[int, Field(ge=1, le=100)] | None = None
    paused: bool = False
    limits: ProfileLimits = ProfileLimits()
    warm_up_from: AwareDatetime | None = None
    """Since when the account is new at WhatsApp; None: it is established."""
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
    active_windows: tuple[ActiveWindow, ...] = ()
    """None: every hour that is not rest."""
    recipient_quiet_hours: QuietHours | None = None
    gap: Gap = Gap()
    warm_up: WarmUp = WarmUp()
    opted_in_only: bool = False
    """Open messages go only to who is on the package's list of opt-ins."""
    opt_out_words: tuple[str, ...] = ()
    """A customer who writes one of these, and nothing else, opts out; beside the words that hold for all."""
    keep_profile_per_customer: bool = False
    """Open messages too go through the profile that the recipient talks to, whatever the distribution."""
    reply_failover: bool = True
    """A reply goes through another profile where the customer's own cannot send."""
    conversation_days: Annotated[int, Field(ge=1, le=3650)] = 180
    """After so long without a word a conversation binds no more."""
    paused: bool = False
    profiles: tuple[Profile, ...] = ()

    def profile(self, profile_id: str) -> Profile | None:
        return next((profile for profile in self.profiles if profile.profile_id == profile_id), None)

    @property
    def profile_ids(self) -> tuple[ProfileId, ...]:
        return tuple(ProfileId(profile.profile_id) for profile in self.profiles)
