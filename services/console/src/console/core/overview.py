"""Overview: one card for each package. A card shows limits, status, the number of waiting deliveries, and the number of
alerts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from console.core import formats
from console.core.api_models import ApiPackage, ApiPackageFigures
from console.core.profile_table import LimitBar, Status
from console.core.queue import ApiQueue


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
    packages: Sequence[ApiPackage], figures: Mapping[str, ApiPackageFigures], queues: Mapping[str, ApiQueue]
) -> tuple[PackageCard, ...]:
    """The cards of all packages. A package is missing in `figures` until its figures are known, and in `queues` until
    its queue is known."""
    return tuple(
        _card(package, figures.get(package.package_id), queues.get(package.package_id)) for package in packages
    )


def _card(package: ApiPackage, figures: ApiPackageFigures | None, queue: ApiQueue | None) -> PackageCard:
    count = len(package.profile_ids)
    return PackageCard(
        package_id=package.package_id,
        name=package.name,
        about=f"{formats.plural(count, 'phone')} · {package.distribution.replace('_', ' ')} · {package.timezone}",
        status=_status(package, figures),
        bars=_bars(package, figures, queue),
        held=queue.held if queue else None,
        rush=queue.profiles_in_rush if queue else None,
        alerts=None if figures is None else figures.open_alerts,
    )


def _bars(package: ApiPackage, figures: ApiPackageFigures | None, queue: ApiQueue | None) -> tuple[LimitBar, ...]:
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
    hour = figures.hour.get("sent_open") if figures else None
    day = figures.day.get("sent_open") if figures else None
    limits = package.profile_limits
    return LimitBar("hourly", hour, limits.per_hour * count or None), LimitBar(
        "daily", day, limits.per_day * count or None
    )


def _status(package: ApiPackage, figures: ApiPackageFigures | None) -> Status:
    if package.paused:
        return Status("Paused", "off", "It sends no campaign messages until it is resumed.")
    if not package.profile_ids:
        return Status("No phones", "warn", "Add a phone to send from.")
    profiles = figures.profiles if figures else {}
    blocked, limited = profiles.get("blocked", 0), profiles.get("limited", 0)
    if blocked:
        word = f"{blocked} of {len(package.profile_ids)} blocked"
        return Status(word, "bad", "Blocked phones send no campaign messages. Replies may go on.")
    if limited:
        return Status(f"{limited} limited", "warn", "Their limits are lowered automatically.")
    if not profiles.get("ok"):
        return Status("Unknown", "unknown", "Its figures have not arrived yet.")
    return Status("Active", "good", "All its phones may send.")
