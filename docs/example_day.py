"""Example day: one campaign through one profile, decided by the pacer's own policy, as a table."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby

from pacer.core.gap import TEMPO_SPAN, Pace
from pacer.core.hours import Hours
from pacer.core.limits import full_limits, rolling_limits
from pacer.core.policy import Facts, HeldDelivery, Margins, Release, Rules, decide
from pacer.core.schedule import ORDINARY
from spreader.contract.configuration import Gap, ProfileLimits, RestWindow

BEGIN = datetime(2026, 3, 2, 9, tzinfo=UTC)
DELIVERIES = 24
MIDDLE = 0.5
"""The position of every gap in its range: a day without chance."""
SPREAD = 0.4
RULES = Rules(
    limits=ProfileLimits(),
    hours=Hours(RestWindow(), "UTC"),
    gap=Gap(),
    spread=SPREAD,
    margins=Margins(release=timedelta(0), send=timedelta(0)),
    concurrent_sends=10,
)


@dataclass(frozen=True, slots=True)
class Step:
    """A release, the deliveries that wait after it, and the pace that the next gap follows."""

    at: datetime
    waiting: int
    pace: Pace


def steps() -> Iterator[Step]:
    """Every release of the day, each answered by the gateway at once."""
    releases: list[datetime] = []
    now = BEGIN
    while len(releases) < DELIVERIES:
        decision = decide(RULES, _facts(releases, now), HeldDelivery("next", ORDINARY, BEGIN), now)
        if isinstance(decision, Release):
            releases.append(now)
            after = decide(RULES, _facts(releases, now), HeldDelivery("next", ORDINARY, BEGIN), now)
            yield Step(now, DELIVERIES - len(releases), after.pace)
        else:
            assert decision.until is not None, "nothing waits for an answer in this day"
            now = decision.until


def table() -> str:
    """A row of Markdown for each run of releases that are followed by the same gap."""
    head = (
        "| releases | still waiting | pressure | tempo | mean gap | next gap |\n| --- | --- | --- | --- | --- | --- |"
    )
    runs = groupby(steps(), key=lambda step: _factors(step.pace) if step.waiting else "| | |")
    return "\n".join([head, *(_row(factors, list(run)) for factors, run in runs)])


def _facts(releases: list[datetime], now: datetime) -> Facts:
    last = releases[-1] if releases else None
    return Facts(
        last_release=last,
        full_until=full_limits(rolling_limits(RULES.limits), releases, now),
        sent_last_2_hours=sum(last is not None and at > last - TEMPO_SPAN for at in releases),
        waiting=DELIVERIES - len(releases),
        position=MIDDLE,
        at_gateway=0,
    )


def _factors(pace: Pace) -> str:
    gaps = f"{pace.gap(0).total_seconds():.0f} to {pace.gap(1).total_seconds():.0f} s"
    return f"{pace.pressure:g} | {pace.tempo:.2f} | {pace.mean_seconds:.0f} s | {gaps}"


def _row(factors: str, run: list[Step]) -> str:
    first, last = run[0], run[-1]
    if first is last:
        return f"| {first.at:%H:%M:%S} | {first.waiting} | {factors} |"
    return f"| {first.at:%H:%M:%S} to {last.at:%H:%M:%S} | {first.waiting} to {last.waiting} | {factors} |"
