"""Policy: may this profile release a delivery now, and if not, which bound holds it until when?

Why the windows hold at the gateway and not only here: a release counts from the moment it is made until its effective
moment, which is when the gateway had answered; while that is unknown it counts without end. The next release is made
only when the window behind it has room, so it reaches the gateway later still. No delay on the way can put one too many
into a window.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pacer.core.gap import PAIRS_SPAN, TEMPO_SPAN, Pace, load, pace, slack_max
from pacer.core.hours import Hours
from pacer.core.limits import DAY
from pacer.core.recipient_hours import quiet_until
from pacer.core.schedule import IMMEDIATE
from spreader.contract.bounds import Bound
from spreader.contract.configuration import Gap, ProfileLimits, QuietHours

UNTIL_ANSWERED = None
"""A bound without a known end: something at the gateway has not been answered, or an operator must act."""

Bounds = Mapping[str, datetime | None]
"""Moments before which nothing goes, by the name of what says so; UNTIL_ANSWERED where the moment is not known."""
NO_BOUNDS: Bounds = {}

DAY_IN_PAIRS = Bound.DAY_IN_PAIRS
PLACES_MIN = 5
"""Where fewer places are expected in three hours, how many there are is chance, and no rhythm."""
RECIPIENT_LIMIT, QUIET_HOURS = Bound.RECIPIENT_LIMIT, Bound.QUIET_HOURS
OF_THE_RECIPIENT = frozenset({RECIPIENT_LIMIT, QUIET_HOURS})
"""Bounds of one delivery alone: those behind it in the queue need not wait for it."""


@dataclass(frozen=True, slots=True)
class Margins:
    """How long before a rest the last release is made, and the last send begun: what lies between is for the way.

    In the system's time; a fast clock needs longer ones, since machines take the same time at any speed.
    """

    release: timedelta
    send: timedelta


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for a profile now: limits in force, hours, gap, margins, and a reason to hold everything."""

    limits: ProfileLimits
    hours: Hours
    gap: Gap
    spread: float
    margins: Margins
    concurrent_sends: int
    stopped: str | None = None
    """Why nothing goes at all (paused, blocked); None: it works."""
    quiet: QuietHours | None = None
    factor: float = 1.0
    warm_up: float = 1.0
    """Both factors are in the limits already; they are kept to be shown."""

    @property
    def slack_max(self) -> timedelta:
        """How long a limit may hold a release after it has room again."""
        return slack_max(self.limits, self.gap, self.hours.active_seconds_a_day, self.spread)


@dataclass(frozen=True, slots=True)
class Head:
    """A delivery at the front of a profile's queue."""

    delivery_id: str
    rank: int
    not_before: datetime
    recipient: str = ""
    cold: bool = False
    """Whether it would be the profile's first word to this recipient."""
    bounds: Bounds = field(default_factory=dict[str, datetime | None])
    """Of its recipient alone: full until."""


@dataclass(frozen=True, slots=True)
class Pair:
    """How room comes back to a day that the last release left full."""

    one: datetime
    """When there is room for one."""
    two: datetime
    """And for two."""
    places: int
    """How many come back in the three hours after the last release."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What has happened on a profile so far."""

    last_release: datetime | None
    free: Bounds
    """For each limit that is full, or was until a moment ago (`slack_max`): when it has room again."""
    sent_lately: int
    """In the two hours up to the last release, that one included."""
    waiting: int
    position: float
    """Where in the range of the gap, and of the slack, the next release lies, 0 to 1; drawn anew after each release."""
    at_gateway: int
    """Deliveries of the whole package that are with the gateway and not answered."""
    contacts_free: Bounds = field(default_factory=dict[str, datetime | None])
    """Like `free`, for the limits that only cold contacts count in."""
    package_free: Bounds = field(default_factory=dict[str, datetime | None])
    """When the package has room again."""
    pair: Pair | None = None
    """None: the last release left room in the day."""


@dataclass(frozen=True, slots=True)
class Release:
    """Now. `send_by`: the sender must not begin later (a rest is near)."""

    send_by: datetime
    pace: Pace


@dataclass(frozen=True, slots=True)
class Wait:
    """Not before `until` (None: unknown), because of `bound`; `bounds` has every bound that is still ahead."""

    until: datetime | None
    bound: str
    bounds: Bounds
    pace: Pace


Decision = Release | Wait


def decide(rules: Rules, facts: Facts, head: Head, now: datetime) -> Decision:
    """Release `head` now, or wait: for the latest of all bounds, and out of the rest that it falls into."""
    paced = current_pace(rules, facts, now)
    bounds = _bounds(rules, facts, head, paced, now)
    ahead = {name: until for name, until in bounds.items() if until is None or until > now}
    bound, earliest = "", now
    for name, until in ahead.items():
        if until is None:
            return Wait(UNTIL_ANSWERED, name, ahead, paced)
        if until > earliest:
            bound, earliest = name, until
    waking = timedelta(0) if _has_begun(rules, facts, earliest) else paced.waking(_position(facts, head))
    active = rules.hours.next_active(earliest, rules.margins.release, waking)
    if active > earliest:
        return Wait(active, "rest window", {**ahead, "rest window": active}, paced)
    if earliest > now:
        return Wait(earliest, bound, ahead, paced)
    return Release(_send_by(rules, now), paced)


def current_pace(rules: Rules, facts: Facts, now: datetime) -> Pace:
    """Every factor in force. Time alone changes none of them: the tempo is that of the two hours before the last
    release (decision 0014)."""
    since = facts.last_release or now
    return pace(
        rules.limits,
        rules.gap,
        rules.hours.active_seconds_a_day,
        facts.waiting,
        facts.sent_lately,
        rules.hours.active_seconds(since - TEMPO_SPAN, since),
        rules.spread,
    )


def _bounds(rules: Rules, facts: Facts, head: Head, paced: Pace, now: datetime) -> dict[str, datetime | None]:
    bounds: dict[str, datetime | None] = {"delivery": head.not_before}
    position = _position(facts, head)
    if facts.last_release is not None:
        bounds["gap"] = facts.last_release + paced.gap(position)
    slack = paced.slack(position)
    full = {**facts.free, **facts.contacts_free} if head.cold else facts.free
    bounds |= {name: room and room + slack for name, room in full.items()}
    if facts.pair is not None and head.rank != IMMEDIATE and _goes_in_pairs(rules, facts, facts.pair, paced):
        bounds[DAY_IN_PAIRS] = facts.pair.two + slack
    bounds |= facts.package_free
    bounds |= head.bounds
    quiet = quiet_until(rules.quiet, head.recipient, now, rules.hours.timezone)
    if quiet is not None:
        bounds[QUIET_HOURS] = quiet
    if facts.at_gateway >= rules.concurrent_sends:
        bounds["concurrent sends"] = UNTIL_ANSWERED
    if rules.stopped is not None:
        bounds[rules.stopped] = UNTIL_ANSWERED
    return bounds


def _goes_in_pairs(rules: Rules, facts: Facts, pair: Pair, paced: Pace) -> bool:
    """Whether few wait, and the day's room comes back as slowly as a rush took it: waited for one by one, that rush
    would go on for another day (decision 0019). For a second place further off than any gap of a rush, or after the
    next rest, nobody waits.
    """
    longest = timedelta(seconds=rules.gap.rush_factor * paced.base_seconds * (1 + paced.spread))
    slack = paced.slack(facts.position)
    is_far_off = rules.hours.next_active(pair.two + slack, rules.margins.release) - slack - pair.one > longest
    if is_far_off or facts.waiting >= rules.gap.rush_over or facts.last_release is None:
        return False
    begin = facts.last_release - DAY
    share = rules.hours.active_seconds(begin, begin + PAIRS_SPAN) / rules.hours.active_seconds_a_day
    is_rhythm = share * rules.limits.per_day >= PLACES_MIN
    return is_rhythm and load(pair.places, rules.limits, share) < rules.gap.pairs_under


def _has_begun(rules: Rules, facts: Facts, moment: datetime) -> bool:
    """Whether no rest lies between the last release and a moment: the profile is at work, and need not wake."""
    if facts.last_release is None:
        return False
    rest = rules.hours.next_rest(facts.last_release)
    return rest is None or rest > moment


def _position(facts: Facts, head: Head) -> float:
    """What is immediate takes the smallest gap, and no slack."""
    return 0.0 if head.rank == IMMEDIATE else facts.position


def _send_by(rules: Rules, now: datetime) -> datetime:
    rest = rules.hours.next_rest(now)
    latest = now + timedelta(days=1)
    return latest if rest is None else min(rest - rules.margins.send, latest)
