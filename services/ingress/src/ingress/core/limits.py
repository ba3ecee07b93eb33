"""Limits: finds the limits in force for a profile, limits that have no effect, and how much of each limit is used."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from typing_extensions import TypedDict

from spreader.contract.configuration import Package, PackageLimits, ProfileLimits
from spreader.contract.events import ProfileState

_NULLABLE = frozenset({"new_contacts_per_day", "per_recipient_per_day", "unanswered_per_30_days"})
_SPANS = (("per_hour", "an hour"), ("per_3_hours", "3 hours"), ("per_day", "a day"))


@dataclass(frozen=True, slots=True)
class SettingWarning:
    """A setting that is allowed but probably a mistake, such as a limit that has no effect."""

    pointer: str
    detail: str


def resolve_limits(package: ProfileLimits, overrides: Mapping[str, int | None]) -> ProfileLimits:
    """The limits of a profile: its own limits and, where it has none, the limits of the package.

    If an override is None, it removes a limit that `_NULLABLE` names. For every other limit, None has no effect.
    """
    own = {name: value for name, value in overrides.items() if value is not None or name in _NULLABLE}
    return package.model_copy(update=own)


def profile_limit_warnings(limits: ProfileLimits, pointer: str) -> list[SettingWarning]:
    """Warns about each limit that is above the limit of a longer span, and therefore never binds."""
    return [
        SettingWarning(
            f"{pointer}/{short}",
            f"{getattr(limits, short)} in {short_text} is more than {getattr(limits, long)} in {long_text}: "
            f"`{long}` binds first, `{short}` has no effect",
        )
        for index, (short, short_text) in enumerate(_SPANS)
        for long, long_text in _SPANS[index + 1 :]
        if getattr(limits, short) > getattr(limits, long)
    ]


def package_limit_warnings(limits: PackageLimits, profile: ProfileLimits) -> list[SettingWarning]:
    """Warns if the package's day limit is below the day limit of a single profile. The profile's day limit then never
    binds."""
    if limits.per_day is None or limits.per_day >= profile.per_day:
        return []
    detail = (
        f"the package may send {limits.per_day} a day, fewer than the {profile.per_day} that one profile may: "
        "the profiles' day limit has no effect"
    )
    return [SettingWarning("/limits/per_day", detail)]


class ProfileLimitsStatus(TypedDict):
    """How much of its hour limit and day limit a profile has used. The text `6/20` means 6 messages of 20."""

    hourly: str
    daily: str


LimitsStatus = dict[str, ProfileLimitsStatus]


def limits_status(package: Package, states: Mapping[str, ProfileState], profile_ids: Iterable[str]) -> LimitsStatus:
    """The status of each profile. Profiles that the package no longer has are left out."""
    status: LimitsStatus = {}
    for profile_id in profile_ids:
        profile, state = package.profile(profile_id), states.get(profile_id)
        if profile is not None:
            hour = state.windows.hour.sent_open if state else 0
            day = state.windows.day.sent_open if state else 0
            status[profile_id] = {
                "hourly": f"{hour}/{profile.limits.per_hour}",
                "daily": f"{day}/{profile.limits.per_day}",
            }
    return status
