"""Overview: each package as a card: how full, in what state, how much waits, what needs a person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from console.core import formats
from console.core.api_models import Alert, Package
from console.core.profile_table import Bar, Status
from console.core.queue import Queue
from spreader.contract.events import ProfileState


@dataclass(frozen=True, slots=True)
class Card:
    package_id: str
    name: str
    about: str
    status: Status
    bars: tuple[Bar, ...]
    held: int | None
    rush: int | None
    """Profiles in rush."""
    alerts: int | None


def cards(
    packages: Sequence[Package],
    states: Mapping[str, ProfileState],
    queues: Mapping[str, Queue],
    alerts: Sequence[Alert] | None,
) -> tuple[Card, ...]:
    """What is None or missing is not known, and shown so."""
    return tuple(_card(each, states, queues.get(each.package_id), alerts) for each in packages)


def _card(
    package: Package, states: Mapping[str, ProfileState], queue: Queue | None, alerts: Sequence[Alert] | None
) -> Card:
    known = [states[profile_id] for profile_id in package.profile_ids if profile_id in states]
    count = len(package.profile_ids)
    return Card(
        package_id=package.package_id,
        name=package.name,
        about=f"{formats.plural(count, 'profile')} · {package.distribution.replace('_', ' ')} · {package.timezone}",
        status=_status(package, known),
        bars=_bars(package, known, queue),
        held=queue.held if queue else None,
        rush=queue.profiles_in_rush if queue else None,
        alerts=None if alerts is None else sum(each.package_id == package.package_id for each in alerts),
    )


def _bars(package: Package, known: Sequence[ProfileState], queue: Queue | None) -> tuple[Bar, ...]:
    """All profiles together: what they sent, of what their limits allow."""
    if queue is not None:
        return tuple(
            Bar(
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
    return Bar("hourly", hour, limits.per_hour * count or None), Bar("daily", day, limits.per_day * count or None)


def _status(package: Package, known: Sequence[ProfileState]) -> Status:
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
