"""Overview: one card for each package. A card shows limits, status, the number of waiting deliveries, and the number of
alerts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from console.core import formats
from console.core.api_models import ApiAlert, ApiPackage
from console.core.profile_table import LimitBar, Status
from console.core.queue import ApiQueue
from spreader.contract.events import ProfileState


@dataclass(frozen=True, slots=True)
class PackageCard:
    package_id: str
    name: str
    about: str
    status: Status
    bars: tuple[LimitBar, ...]
    held: int | None
    rush: int | None
    """The number of profiles in rush. A profile is in rush if more than `rush_over` of its deliveries are due."""
    alerts: int | None


def cards(
    packages: Sequence[ApiPackage],
    states: Mapping[str, ProfileState],
    queues: Mapping[str, ApiQueue],
    alerts: Sequence[ApiAlert] | None,
) -> tuple[PackageCard, ...]:
    """The cards of all packages. `alerts` is None until the alerts are known.

    A profile is missing in `states` until its state is known. A package is missing in `queues` until its queue is
    known.
    """
    return tuple(_card(package, states, queues.get(package.package_id), alerts) for package in packages)


def _card(
    package: ApiPackage, states: Mapping[str, ProfileState], queue: ApiQueue | None, alerts: Sequence[ApiAlert] | None
) -> PackageCard:
    known = [states[profile_id] for profile_id in package.profile_ids if profile_id in states]
    count = len(package.profile_ids)
    return PackageCard(
        package_id=package.package_id,
        name=package.name,
        about=f"{formats.plural(count, 'profile')} · {package.distribution.replace('_', ' ')} · {package.timezone}",
        status=_status(package, known),
        bars=_bars(package, known, queue),
        held=queue.held if queue else None,
        rush=queue.profiles_in_rush if queue else None,
        alerts=None if alerts is None else sum(alert.package_id == package.package_id for alert in alerts),
    )


def _bars(package: ApiPackage, known: Sequence[ProfileState], queue: ApiQueue | None) -> tuple[LimitBar, ...]:
    """How many open messages were sent and how many are allowed, summed over all profiles of the package."""
    if queue is not None:
        return tuple(
            LimitBar(
                word,
                sum(pace.limits[name].used for pace in queue.profiles if name in pace.limits),
                sum(pace.limits[name].limit or 0 for pace in queue.profiles if name in pace.limits) or None,
            )
            for name, word in (("hour limit", "hourly"), ("day limit", "daily"))
        )
    count = len(package.profile_ids)
    hour = sum(state.windows.hour.sent_open for state in known) if known else None
    day = sum(state.windows.day.sent_open for state in known) if known else None
    limits = package.profile_limits
    return LimitBar("hourly", hour, limits.per_hour * count or None), LimitBar(
        "daily", day, limits.per_day * count or None
    )


def _status(package: ApiPackage, known: Sequence[ProfileState]) -> Status:
    if package.paused:
        return Status("Paused", "off", "Nothing opens a conversation until the package is resumed.")
    if not package.profile_ids:
        return Status("No profiles", "warn", "Add a profile: there is no account to send from.")
    blocked = sum(state.open.state == "blocked" for state in known)
    if blocked:
        word = f"{blocked} of {len(package.profile_ids)} blocked"
        return Status(word, "bad", "Blocked profiles open no conversation; replies may go on.")
    limited = sum(state.open.state == "limited" for state in known)
    if limited:
        return Status(f"{limited} limited", "warn", "They open fewer conversations than their limits allow.")
    if not known:
        return Status("Unknown", "unknown", "The stats have not said how its profiles fare.")
    return Status("Active", "good", "All its profiles may send.")
