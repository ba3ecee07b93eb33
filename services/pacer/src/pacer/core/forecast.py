"""Forecast: the release loop's decisions run forward on what waits: what goes when, and why not sooner."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import sqrt
from statistics import NormalDist

from pacer.core.policy import Head, Rules
from pacer.core.simulation import Course, Runner, Went

STEPS_MAX = 8_000  # releases of all profiles together; what lies beyond goes on at the pace of those before
STEPS_OF_A_PROFILE = (40, 1_000)
HORIZON = timedelta(days=400)
HOUR = timedelta(hours=1)
UNIFORM_DEVIATION = 1 / sqrt(12)  # the standard deviation of a draw between 0 and 1


@dataclass(frozen=True, slots=True)
class Waiting:
    """Deliveries of one kind that wait: how many, and since or until when."""

    count: int
    rank: int
    cold: bool
    not_before: datetime


@dataclass(frozen=True, slots=True)
class Situation:
    """A profile as it is: its rules, its releases of the last day, its contacts of 30 days, and its queue."""

    profile_id: str
    rules: Rules
    releases: Sequence[datetime]
    contacts: Sequence[datetime]
    ahead: Sequence[Waiting]
    added: Sequence[Head] = ()
    """The deliveries whose fate is asked for, behind the others; neither these nor `gone`: the whole queue's is."""
    gone: int = 0
    """Deliveries whose fate is asked for and known: they have gone just now."""
    position: float = 0.5

    @property
    def asked(self) -> int:
        """Of how many the fate is asked for."""
        return len(self.added) + self.gone if self.of_added else _size(self)

    @property
    def of_added(self) -> bool:
        return bool(self.added or self.gone)


@dataclass(frozen=True, slots=True)
class ProfileOutlook:
    """What is foreseen for a profile. `completion` is None where it is stopped."""

    completion: datetime | None
    deliveries: int
    binds: str
    """The bound that holds most of its releases."""


@dataclass(frozen=True, slots=True)
class Outlook:
    profiles: Mapping[str, ProfileOutlook]
    curve: Mapping[datetime, Mapping[str, int]]
    """Deliveries in each hour (by its begin, UTC), by profile."""
    counted_until: datetime | None
    """Where hours beyond were reckoned from the pace until here, instead of step by step; None: nowhere."""

    @property
    def completion(self) -> datetime | None:
        ends = [each.completion for each in self.profiles.values() if each.deliveries]
        known = [end for end in ends if end is not None]
        return max(known) if known and len(known) == len(ends) else None

    @property
    def binds(self) -> str:
        held = Counter[str]()
        for each in self.profiles.values():
            if each.binds:  # what has gone is bound by nothing
                held[each.binds] += each.deliveries
        return held.most_common(1)[0][0] if held else ""


@dataclass
class _Tally:
    """What a run has shown of one profile."""

    releases: list[datetime] = field(default_factory=list[datetime])
    binds: Counter[str] = field(default_factory=Counter[str])
    asked: int = 0

    def note(self, went: Went, asked: bool) -> None:
        self.releases.append(went.at)
        self.binds[went.waited_for] += 1
        self.asked += asked


def foresee(
    package_id: str, situations: Sequence[Situation], per_day: int | None, past: Sequence[datetime], now: datetime
) -> Outlook:
    """Run the package forward until what is asked for has gone. `past`: its releases of the last day."""
    fewest, most = STEPS_OF_A_PROFILE
    steps = min(max(STEPS_MAX // max(len(situations), 1), fewest), most)
    count = len(situations)
    runners = [_runner(each, steps, _luck(place, count, _size(each))) for place, each in enumerate(situations)]
    course = Course(package_id, runners, now, per_day, sorted(past))
    course.wake()
    tallies = {each.profile_id: _Tally() for each in situations}
    curve: dict[datetime, Counter[str]] = defaultdict(Counter)
    whole = {each.profile_id for each in situations if not each.of_added}
    for each in situations:
        if each.gone:
            curve[_hour(now)][each.profile_id] += each.gone
    for went in course.run(now + HORIZON):
        asked = went.profile_id in whole or went.head.delivery_id.startswith(ADDED)
        tallies[went.profile_id].note(went, asked)
        if asked:
            curve[_hour(went.at)][went.profile_id] += 1
    profiles = {
        each.profile_id: _outlook(each, tallies[each.profile_id], runner, curve, now)
        for each, runner in zip(situations, runners, strict=True)
    }
    cut = [tallies[each.profile_id].releases[-1] for each in situations
           if _size(each) > steps and tallies[each.profile_id].releases]  # fmt: skip
    return Outlook(profiles, dict(sorted(curve.items())), min(cut, default=None))


ADDED = "added/"


def _luck(place: int, profiles: int, deliveries: int) -> float:
    """Where the gaps of the profile at this place lie in their ranges, so that all profiles differ as by chance.

    With even gaps all would end together, and the last of several really ends later. So the profiles get the expected
    luck of so many (Blom's normal scores), as large as the mean of so many uniform draws deviates: which of them is the
    last is chance, when it ends is not. The mean over all of them stays a half.
    """
    score = NormalDist().inv_cdf((place + 1 - 0.375) / (profiles + 0.25))
    gaps = max(deliveries - 1, 1)  # the first has none, or one that is drawn already
    return min(max(0.5 + score * UNIFORM_DEVIATION / sqrt(gaps), 0.0), 1.0)


def _runner(situation: Situation, steps: int, luck: float) -> Runner:
    runner = Runner(
        situation.profile_id, situation.rules, sorted(situation.releases), sorted(situation.contacts),
        position=situation.position, luck=luck,
    )  # fmt: skip
    room = steps
    for number, part in enumerate(sorted(situation.ahead, key=lambda part: (part.not_before, part.rank))):
        fitting = min(part.count, room)
        runner.line.add(
            Head(f"ahead/{number}/{place}", part.rank, part.not_before, cold=part.cold) for place in range(fitting)
        )
        room -= fitting
    runner.line.add(situation.added[:room])
    return runner


def _size(situation: Situation) -> int:
    return sum(part.count for part in situation.ahead) + len(situation.added)


def _outlook(
    situation: Situation, tally: _Tally, runner: Runner, curve: dict[datetime, Counter[str]], now: datetime
) -> ProfileOutlook:
    asked = situation.asked
    if asked == situation.gone:
        return ProfileOutlook(now, asked, "")
    stopped = situation.rules.stopped
    if stopped is not None or not tally.releases or len(runner.line):
        return ProfileOutlook(None, asked, stopped or runner.bound)
    binds = tally.binds.most_common(1)[0][0]
    rest = asked - situation.gone - tally.asked
    if not rest:
        return ProfileOutlook(tally.releases[-1], asked, binds)
    pace = (tally.releases[-1] - tally.releases[0]) / max(len(tally.releases) - 1, 1)
    ahead = _size(situation) - len(tally.releases) - rest
    for number in range(rest):
        curve[_hour(tally.releases[-1] + pace * (ahead + number + 1))][situation.profile_id] += 1
    last = max((head.not_before for head in situation.added), default=now)
    return ProfileOutlook(max(tally.releases[-1] + pace * (ahead + rest), last), asked, binds)


def _hour(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
