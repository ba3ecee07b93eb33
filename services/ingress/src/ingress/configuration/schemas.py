"""Configuration forms: the settings of a package and of a profile, validated field by field."""

from collections.abc import Sequence
from datetime import time
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    FailFast,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from ingress.configuration.gateway_schemas import GatewayForm
from ingress.core.opt_out import CHARACTERS_MAX, normalize
from ingress.http.request_body import RequestForm, Timestamp
from spreader.contract.configuration import Distribution, TimeZone
from spreader.contract.ids import Id, InternationalNumber
from spreader.http.openapi import may_lack
from spreader.phone.national import COUNTRIES

LIMIT_MAX = 1_000_000
_MINUTES_PER_DAY = 24 * 60

Limit = Annotated[int, Field(ge=1, le=LIMIT_MAX, strict=True)]
Seconds = Annotated[int, Field(ge=1, le=86_400, strict=True)]
_PRINTABLE = r"[^\x00-\x1f\x7f-\x9f]*"
Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]*\S[^\x00-\x1f]*$"),
    Field(json_schema_extra={"pattern": rf"^{_PRINTABLE}[^\s\x00-\x1f\x7f-\x9f]{_PRINTABLE}$"}),
]


class PackageLimitsForm(RequestForm):
    per_day: Limit | None = Field(default=None, description="Open messages in 24 hours over all profiles.")
    concurrent_sends: Limit = Field(default=10, description="Deliveries at the gateway at the same time.")


class ProfileLimitsForm(RequestForm):
    per_hour: Limit = 20
    per_3_hours: Limit = 50
    per_day: Limit = 120
    new_contacts_per_day: Limit | None = None
    per_recipient_per_day: Limit | None = 2
    unanswered_per_30_days: Limit | None = 300


FOLLOW_PACKAGE = "package"
_OVERRIDE = [{"type": "integer", "minimum": 1, "maximum": LIMIT_MAX}, {"type": "null"}, {"const": FOLLOW_PACKAGE}]
Override = Annotated[Limit | None, WithJsonSchema({"anyOf": _OVERRIDE}, mode="validation")]


class OverridesForm(RequestForm):
    """A profile's own limits. A limit that is left out, or is `"package"`, follows the package. Null removes the limits
    `new_contacts_per_day`, `per_recipient_per_day` and `unanswered_per_30_days`. For `per_hour`, `per_3_hours` and
    `per_day`, null means the same as `"package"`."""

    model_config = ConfigDict(json_schema_extra=may_lack())

    per_hour: Override = None
    per_3_hours: Override = None
    per_day: Override = None
    new_contacts_per_day: Override = None
    per_recipient_per_day: Override = None
    unanswered_per_30_days: Override = None

    @model_validator(mode="before")
    @classmethod
    def _leave_out_followed(cls, limits: Any) -> Any:
        if not isinstance(limits, dict):
            return limits
        return {
            name: limit for name, limit in limits.items() if limit != FOLLOW_PACKAGE or name not in cls.model_fields
        }


def _check_time_of_day(value: time) -> time:
    if value.tzinfo is not None or value.microsecond:
        raise ValueError("must be a time of day such as 01:00, without a time zone")
    return value


def _format_time_of_day(value: time) -> str:
    return value.isoformat("minutes" if value.second == 0 else "seconds")


TimeOfDay = Annotated[
    time,
    Field(strict=True),
    AfterValidator(_check_time_of_day),
    PlainSerializer(_format_time_of_day),
    WithJsonSchema({"type": "string", "pattern": r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$"}),
]
Hours = Annotated[float, Field(gt=0, lt=24, strict=True, allow_inf_nan=False)]


class RestWindowForm(RequestForm):
    start: TimeOfDay = Field(default=time(1, 0), examples=["01:00"], description="In the package's time zone.")
    hours: Hours = 4
    stagger_minutes: Annotated[int, Field(ge=0, le=60, strict=True)] = Field(
        default=0,
        description="Each profile rests up to this much earlier or later, by its own offset.",
    )


class ActiveWindowForm(RequestForm):
    start: TimeOfDay = Field(examples=["08:00"])
    end: TimeOfDay = Field(examples=["22:00"], description="Not after `start`: on the next day.")


class QuietHoursForm(RequestForm):
    start: TimeOfDay = Field(default=time(21, 0), description="In the time zone of the recipient's phone number.")
    hours: Hours = 12


def _check_opt_out_word(word: str) -> str:
    if not normalize(word):
        raise ValueError("an opt-out word needs letters or digits")
    return word


OptOutWord = Annotated[
    str,
    StringConstraints(min_length=1, max_length=CHARACTERS_MAX, strip_whitespace=True),
    AfterValidator(_check_opt_out_word),
]


def _check_country(code: str) -> str:
    if code not in COUNTRIES:
        raise ValueError(f"{code!r} is not a country's code of ISO 3166, such as EG")
    return code


Country = Annotated[
    str,
    StringConstraints(max_length=10),
    AfterValidator(_check_country),
    Field(json_schema_extra={"pattern": "^[A-Z]{2}$"}),
]


class WarmUpForm(RequestForm):
    """How the limits of a new account grow. The account begins with the share `from_share` of each limit, and has the
    whole limit after `days` days. Only profiles with `warm_up_from` have a warm-up."""

    days: Annotated[int, Field(ge=1, le=365, strict=True)] = 14
    from_share: Annotated[float, Field(gt=0, le=1, strict=True, allow_inf_nan=False)] = 0.2


class GapForm(RequestForm):
    min_seconds: Seconds | None = None
    max_seconds: Seconds | None = None
    rush_over: Annotated[int, Field(ge=1, le=1000, strict=True)] = 10
    spread: Annotated[float, Field(ge=0.2, le=0.6, strict=True, allow_inf_nan=False)] | None = None
    rush_factor: Annotated[float, Field(ge=1, le=10, strict=True, allow_inf_nan=False)] = 2.0
    calm_factor: Annotated[float, Field(ge=0.1, le=1, strict=True, allow_inf_nan=False)] = 0.5
    tempo_min: Annotated[float, Field(ge=0.1, le=1, strict=True, allow_inf_nan=False)] = 0.5
    tempo_max: Annotated[float, Field(ge=1, le=10, strict=True, allow_inf_nan=False)] = 2.0
    calm_tempo: Annotated[float, Field(ge=0, le=10, strict=True, allow_inf_nan=False)] = 0.15
    fastest: Annotated[float, Field(ge=0.1, le=1, strict=True, allow_inf_nan=False)] = 0.75
    slack: Annotated[float, Field(ge=0, le=1, strict=True, allow_inf_nan=False)] = 0.08
    pairs_under: Annotated[float, Field(ge=0, le=1, strict=True, allow_inf_nan=False)] = 0.8

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.min_seconds is not None and self.max_seconds is not None and self.min_seconds > self.max_seconds:
            raise ValueError(f"`min_seconds` ({self.min_seconds}) is over `max_seconds` ({self.max_seconds})")
        return self


class PackageForm(RequestForm):
    name: Name = Field(examples=["E-Commerce Orders"])
    timezone: TimeZone = Field(default="UTC", examples=["Africa/Cairo"])
    default_country: Country | None = Field(
        default=None,
        description="The country (ISO 3166) whose national numbers are completed. Null: none are completed.",
        examples=["EG"],
    )
    distribution: Distribution = "round_robin"
    limits: PackageLimitsForm = PackageLimitsForm()
    profile_limits: ProfileLimitsForm = ProfileLimitsForm()
    rest_window: RestWindowForm | None = RestWindowForm()
    active_windows: Annotated[tuple[ActiveWindowForm, ...], FailFast(), Field(max_length=10)] = Field(
        default=(),
        description="Hours in which profiles send, in the package's time zone. Empty: all but the rest window.",
    )
    recipient_quiet_hours: QuietHoursForm | None = Field(
        default=None, description="Hours in which a recipient gets no open message, in the recipient's time zone."
    )
    gap: GapForm = GapForm()
    warm_up: WarmUpForm = WarmUpForm()
    opted_in_only: Annotated[bool, Field(strict=True)] = Field(
        default=False, description="Open messages go only to recipients on the package's list of opt-ins."
    )
    opt_out_words: Annotated[tuple[OptOutWord, ...], FailFast(), Field(max_length=50)] = Field(
        default=(), description="A customer who writes only such a word opts out.", examples=[["enough"]]
    )
    opt_out_words_ignored: Annotated[tuple[OptOutWord, ...], FailFast(), Field(max_length=50)] = Field(
        default=(),
        description="Opt-out words that are none in this package, such as the text of one of its own buttons.",
        examples=[["cancel"]],
    )
    keep_profile_per_customer: bool = Field(
        default=False, strict=True, description="Open messages go through the profile that the recipient talks to."
    )
    reply_failover: bool = Field(
        default=True,
        strict=True,
        description="A reply may go through another profile if its own profile cannot send.",
    )
    conversation_days: Annotated[int, Field(ge=1, le=3650, strict=True)] = Field(
        default=180, description="A conversation ends after this many days without a message."
    )

    @model_validator(mode="after")
    def _check_active_hours(self) -> Self:
        rest = self.rest_window
        windows = [(window.start, window.end) for window in self.active_windows]
        if not _has_active_minute(windows, (rest.start, rest.hours) if rest else None):
            raise ValueError("`active_windows` and `rest_window` together leave no hour in which to send")
        return self

    def settings(self) -> dict[str, Any]:
        """The settings to store. They contain all fields, so that a package keeps its settings when a later version of
        the ingress has other defaults."""
        return self.model_dump(mode="json", exclude={"package_id"})


class NewPackage(PackageForm):
    package_id: Id | None = Field(default=None, description="Generated if left out.", examples=["pkg_orders"])


class ProfileSettings(RequestForm):
    """The settings of a profile, without its gateway."""

    name: Name = Field(examples=["Sales WhatsApp #1"])
    phone: InternationalNumber = Field(examples=["201001234567"])
    weight: Annotated[int, Field(ge=1, le=100, strict=True)] | None = None
    backup: bool = Field(
        default=False, strict=True, description="Gets open messages only while no other profile can send."
    )
    limits: OverridesForm = OverridesForm()
    warm_up_from: Timestamp | None = Field(
        default=None, description="When a new account began at WhatsApp; null for an established account."
    )


class ProfileForm(ProfileSettings):
    gateway: GatewayForm

    def settings(self) -> dict[str, Any]:
        """The settings to store, without the gateway. They contain only the limits that the form sets."""
        settings = self.model_dump(mode="json", exclude={"profile_id", "gateway"})
        return {**settings, "limits": self.limits.model_dump(mode="json", exclude_unset=True)}


class NewProfile(ProfileForm):
    profile_id: Id | None = Field(default=None, description="Generated if left out.", examples=["profile_1"])


def _has_active_minute(windows: Sequence[tuple[time, time]], rest: tuple[time, float] | None) -> bool:
    """Whether any minute of the day is inside an active window and outside the rest window.

    `windows`: the begin and the end of each active window. Without windows, the whole day is active. `rest`: the begin
    of the rest window and its length in hours.
    """
    return any(_in_windows(minute, windows) and not _in_rest(minute, rest) for minute in range(_MINUTES_PER_DAY))


def _in_windows(minute: int, windows: Sequence[tuple[time, time]]) -> bool:
    return not windows or any(
        (minute - _minute_of_day(start)) % _MINUTES_PER_DAY
        < ((_minute_of_day(end) - _minute_of_day(start)) % _MINUTES_PER_DAY or _MINUTES_PER_DAY)
        for start, end in windows
    )


def _in_rest(minute: int, rest: tuple[time, float] | None) -> bool:
    return rest is not None and (minute - _minute_of_day(rest[0])) % _MINUTES_PER_DAY < rest[1] * 60


def _minute_of_day(time_of_day: time) -> int:
    return time_of_day.hour * 60 + time_of_day.minute
