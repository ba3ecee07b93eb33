"""Policy: decides whether a profile may release a delivery now. If it may not, the policy names the bound that holds
the delivery, and the end of that bound (docs/pacing.md).

The limits hold at the gateway, not only in the pacer. A release counts against a limit from the time it is made. It
counts until a whole window has passed since the gateway's answer (`effective_at` is the time of that answer). While
there is no answer, the release keeps counting. The pacer makes the next release only when the window has room, and the
next release reaches the gateway only after that. So no delay on the way to the gateway can put one message too many
into a window (decision 0006).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pacer.core.gap import PAIRS_SPAN, TEMPO_SPAN, Pace, pace, relative_load, slack_max
from pacer.core.hours import Hours
from pacer.core.limits import DAY
from pacer.core.recipient_hours import quiet_until
from pacer.core.schedule import IMMEDIATE
from spreader.contract.bounds import Bound
from spreader.contract.configuration import Gap, ProfileLimits, QuietHours

UNTIL_ANSWERED = None
"""The end of a bound whose end is not known in advance. An event ends such a bound: an answer of the gateway, an
operator's act, or better health."""

Bounds = Mapping[Bound, datetime | None]
"""The earliest release time that each bound allows; UNTIL_ANSWERED if that time is not known."""

RECIPIENT_BOUNDS = frozenset({Bound.RECIPIENT_LIMIT, Bound.QUIET_HOURS})
"""The bounds that come from a delivery's recipient. Deliveries to other recipients, behind it in the queue, need not
wait for these bounds."""

RELEASES_FOR_RHYTHM_MIN = 5
"""If fewer releases than this are expected in three hours, their number depends on chance and shows no rhythm."""


@dataclass(frozen=True, slots=True)
class Margins:
    """Before a rest, the pacer makes its last release at least `release` earlier, and the sender begins its last send
    at least `send` earlier. Because of these margins nothing is sent in the rest.

    Both are in system time. The faster the system's clock runs, the longer they must be, because a send takes the same
    wall time at any speed of the clock.
    """

    release: timedelta
    send: timedelta


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything in force for a profile now: limits, hours, gap, margins, and whether it is stopped."""

    limits: ProfileLimits
    hours: Hours
    gap: Gap
    spread: float
    margins: Margins
    concurrent_sends: int
    stopped: Bound | None = None
    """Why the profile releases nothing at all (paused or blocked); None: it works."""
    quiet: QuietHours | None = None
    factor: float = 1.0
    warm_up: float = 1.0
    """`factor` and `warm_up` are kept only for display, because `limits` are already multiplied by both."""

    @property
    def slack_max(self) -> timedelta:
        """The longest time for which a limit still holds a release after the limit has room again."""
        return slack_max(self.limits, self.gap, self.hours.active_seconds_a_day, self.spread)


@dataclass(frozen=True, slots=True)
class HeldDelivery:
    """A delivery that waits for its release."""

    delivery_id: str
    rank: int
    not_before: datetime
    recipient: str = ""
    cold: bool = False
    """Whether the recipient is a cold contact of the profile."""
    bounds: Bounds = field(default_factory=dict[Bound, datetime | None])
    """The recipient's limit, if it is full; empty otherwise."""


@dataclass(frozen=True, slots=True)
class Pair:
    """When the day limit has room again, if it was full after the last release."""

    first_at: datetime
    """When there is room for one release."""
    second_at: datetime
    """When there is room for two releases."""
    places: int
    """How many releases leave the window of the day limit in the three hours after the last release."""


@dataclass(frozen=True, slots=True)
class Facts:
    """The state of a profile that the policy decides on."""

    last_release: datetime | None
    full_until: Bounds
    """The limits that are full now, and those that were full less than `slack_max` ago. Each comes with the time at
    which it has room again."""
    sent_last_2_hours: int
    """Releases in the two hours up to the last release, the last one included."""
    waiting: int
    """The number of due deliveries. They are counted only up to `gap.rush_over` + 1, because a higher number would
    change no decision."""
    position: float
    """The position of the next release in the ranges of gap and slack, from 0 (earliest) to 1 (latest). It is drawn at
    random after each release."""
    at_gateway: int
    """Deliveries of the whole package that the gateway has not answered."""
    contacts_full_until: Bounds = field(default_factory=dict[Bound, datetime | None])
    """Like `full_until`, for the limits that count only cold contacts."""
    package_full_until: Bounds = field(default_factory=dict[Bound, datetime | None])
    """Like `full_until`, for the package's own limit."""
    pair: Pair | None = None
    """None: the day limit had room after the last release, or the time at which it gets room again is not known."""


@dataclass(frozen=True, slots=True)
class Release:
    """Release now. The sender must not begin to send after `send_by`."""

    send_by: datetime
    pace: Pace


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait until `until` (None: the time is not known). `bounds` has every bound that has not ended, and `bound` is the
    one that binds."""

    until: datetime | None
    bound: Bound
    bounds: Bounds
    pace: Pace


Decision = Release | Wait


def decide(rules: Rules, facts: Facts, delivery: HeldDelivery, now: datetime) -> Decision:
    """Release the delivery now, or wait until the last of its bounds ends. If that time is in a rest, wait until the
    rest ends."""
    current = current_pace(rules, facts, now)
    bounds = _bounds(rules, facts, delivery, current, now)
    pending = {bound: until for bound, until in bounds.items() if until is None or until > now}
    earliest, binding = now, Bound.DELIVERY
    for bound, until in pending.items():
        if until is None:
            return Wait(UNTIL_ANSWERED, bound, pending, current)
        if until > earliest:
            earliest, binding = until, bound
    has_begun = _has_begun(rules, facts, earliest)
    start_delay = timedelta(0) if has_begun else current.start_delay(_position(facts, delivery))
    active = rules.hours.next_active(earliest, rules.margins.release, start_delay)
    if active > earliest:
        return Wait(active, Bound.REST_WINDOW, {**pending, Bound.REST_WINDOW: active}, current)
    if earliest > now:
        return Wait(earliest, binding, pending, current)
    return Release(_send_by(rules, now), current)


def current_pace(rules: Rules, facts: Facts, now: datetime) -> Pace:
    """The pace in force. The tempo counts the releases of the two hours before the last release, and not of the two
    hours before now. So the pace does not change merely because time passes (decision 0014)."""
    since = facts.last_release or now
    return pace(
        rules.limits,
        rules.gap,
        rules.hours.active_seconds_a_day,
        facts.waiting,
        facts.sent_last_2_hours,
        rules.hours.active_seconds(since - TEMPO_SPAN, since),
        rules.spread,
    )


def _bounds(
    rules: Rules, facts: Facts, delivery: HeldDelivery, current: Pace, now: datetime
) -> dict[Bound, datetime | None]:
    bounds: dict[Bound, datetime | None] = {Bound.DELIVERY: delivery.not_before}
    position = _position(facts, delivery)
    if facts.last_release is not None:
        bounds[Bound.GAP] = facts.last_release + current.gap(position)
    slack = current.slack(position)
    full_until = {**facts.full_until, **facts.contacts_full_until} if delivery.cold else facts.full_until
    bounds |= {bound: room_at and room_at + slack for bound, room_at in full_until.items()}
    if facts.pair is not None and delivery.rank != IMMEDIATE and _goes_in_pairs(rules, facts, facts.pair, current):
        bounds[Bound.DAY_IN_PAIRS] = facts.pair.second_at + slack
    bounds |= facts.package_full_until
    bounds |= delivery.bounds
    quiet = quiet_until(rules.quiet, delivery.recipient, now, rules.hours.timezone)
    if quiet is not None:
        bounds[Bound.QUIET_HOURS] = quiet
    if facts.at_gateway >= rules.concurrent_sends:
        bounds[Bound.CONCURRENT_SENDS] = UNTIL_ANSWERED
    if rules.stopped is not None:
        bounds[rules.stopped] = UNTIL_ANSWERED
    return bounds


def _goes_in_pairs(rules: Rules, facts: Facts, pair: Pair, current: Pace) -> bool:
    """Whether to release in pairs (decision 0032). The profile does so if few deliveries wait and the day limit gets
    room again in the rhythm of a rush. A rush on the day before used up the limit in this rhythm, and single releases
    would repeat it for another day.

    There is no pair if the room for the second release comes only after a rest, or later than the longest gap of a
    rush. Then the first release does not wait for the second one.
    """
    longest = timedelta(seconds=rules.gap.rush_factor * current.base_seconds * (1 + current.spread))
    slack = current.slack(facts.position)
    second_wait = rules.hours.next_active(pair.second_at + slack, rules.margins.release) - slack - pair.first_at
    if second_wait > longest or facts.waiting >= rules.gap.rush_over or facts.last_release is None:
        return False
    begin = facts.last_release - DAY
    share = rules.hours.active_seconds(begin, begin + PAIRS_SPAN) / rules.hours.active_seconds_a_day
    is_rhythm = share * rules.limits.per_day >= RELEASES_FOR_RHYTHM_MIN
    return is_rhythm and relative_load(pair.places, rules.limits, share) < rules.gap.pairs_under


def _has_begun(rules: Rules, facts: Facts, at: datetime) -> bool:
    """Whether the profile has already released something in the active time that contains `at`. This is so if no rest
    begins between the profile's last release and `at`."""
    if facts.last_release is None:
        return False
    rest = rules.hours.next_rest(facts.last_release)
    return rest is None or rest > at


def _position(facts: Facts, delivery: HeldDelivery) -> float:
    """An immediate delivery takes the smallest gap and no slack."""
    return 0.0 if delivery.rank == IMMEDIATE else facts.position


def _send_by(rules: Rules, now: datetime) -> datetime:
    """The latest time to begin the send: the next rest minus the send margin, but at most a day from now."""
    rest = rules.hours.next_rest(now)
    latest = now + timedelta(days=1)
    return latest if rest is None else min(rest - rules.margins.send, latest)
