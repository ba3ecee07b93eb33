"""Incidents: one incident gives one alert and one cut of the limits, however often its sign comes and goes."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stats.core.alerts import CUTTING, QUIET_FOR, StoredAlert, differences, quiet_for
from stats.core.closures import Closure
from stats.core.condition import Condition, evaluate
from stats.core.evidence import AccountStatus, Evidence, PackageBaseline
from stats.core.health import CALM_AT, WARN_UNDER, Pause, health
from stats.core.limit_factor import CLEAN_DAY
from stats.core.shares import Share

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
WELL, SILENT = Evidence(), Evidence(misses_in_a_row=5)


@dataclass
class Story:
    """The evaluations of one profile, one after the other."""

    now: datetime = NOON
    condition: Condition | None = None
    alerts: dict[str, StoredAlert] = field(default_factory=dict[str, StoredAlert])
    raised: list[str] = field(default_factory=list[str])
    cleared: list[str] = field(default_factory=list[str])
    cuts: int = 0

    @property
    def factor(self) -> float:
        assert self.condition is not None
        return self.condition.factor.value

    def see(self, evidence: Evidence, after: timedelta = timedelta(0)) -> "Story":
        self.now += after
        before = 1.0 if self.condition is None else self.factor
        evaluation = evaluate("sales", evidence, self.condition, self.alerts, self.now)
        new, changed = differences(self.alerts, evaluation.alert_reasons, self.now)
        self.condition = evaluation.condition
        self.cuts += self.factor < before
        for alert in new:
            self.raised.append(alert.kind)
            self.alerts[alert.kind] = StoredAlert(
                f"alr_{len(self.raised)}", "sales", "shop", alert.kind, alert.severity, alert.evidence, self.now,
                quiet_since=alert.quiet_since,
            )  # fmt: skip
        for alert in changed:
            self.alerts[alert.kind] = alert
            if alert.cleared_at is not None:
                self.cleared.append(self.alerts.pop(alert.kind).kind)
        return self


def closure(since: datetime, until: datetime | None, kind: str = "restricted") -> Closure:
    return Closure("sales", "open", kind, since, until, 1, "131048: too many blocked")


def scored(delivered: int) -> Evidence:
    """Evidence without a sign, whose score depends on how many of 100 messages were delivered."""
    return Evidence(
        delivered=Share(delivered, 100), answered=Share(6, 100), failed=Share(1000, 1000),
        baseline=PackageBaseline(Share(900, 1000), Share(200, 1000)), account=AccountStatus("unlinked"),
    )  # fmt: skip


def score_of(evidence: Evidence) -> int:
    return health(evidence, (), Pause(), NOON).score


SCORES = {score_of(scored(delivered)): scored(delivered) for delivered in range(50, 101)}


def test_a_score_that_moves_between_59_and_60_gives_one_alert() -> None:
    """Before, it gave 30 alerts in 10 minutes."""
    story = Story()
    for number in range(60):
        story.see(SCORES[59 + number % 2], 10 * SECOND)
    assert (story.raised, story.cleared, story.cuts) == (["health"], [], 0)


def test_an_alert_is_cleared_when_the_score_was_high_for_long_enough() -> None:
    story = Story().see(SCORES[59])
    story.see(SCORES[CALM_AT - 1], QUIET_FOR).see(SCORES[CALM_AT - 1], QUIET_FOR)
    assert story.cleared == []
    story.see(SCORES[CALM_AT], MINUTE).see(SCORES[CALM_AT], QUIET_FOR - SECOND)
    assert story.cleared == []
    story.see(SCORES[CALM_AT], SECOND).see(SCORES[WARN_UNDER], MINUTE)
    assert (story.raised, story.cleared) == (["health"], ["health"])


scores = st.sampled_from(sorted(SCORES))
pauses = st.timedeltas(SECOND, timedelta(hours=2))


@settings(max_examples=40)
@given(st.lists(st.tuples(scores, pauses), max_size=20))
def test_any_scores_that_are_never_high_for_long_give_one_alert(scores: list[tuple[int, timedelta]]) -> None:
    story, high_since = Story().see(SCORES[WARN_UNDER - 1]), None
    for score, pause in scores:
        if high_since is not None and story.now + pause - high_since >= QUIET_FOR:
            story.see(SCORES[WARN_UNDER - 1], MINUTE if pause > MINUTE else SECOND)
            high_since = None
            continue
        story.see(SCORES[score], pause)
        high_since = None if score < CALM_AT else high_since or story.now
    assert story.raised == ["health"]
    assert story.cleared == []


def test_a_sign_that_comes_and_goes_cuts_the_limits_as_often_as_one_that_stays() -> None:
    """Before, it cut them to a tenth within a day."""
    flapping, steady = Story(), Story()
    for hour in range(48):
        flapping.see(SILENT if hour % 2 == 0 else WELL, HOUR)
        steady.see(SILENT, HOUR)
    assert (flapping.raised, flapping.cuts, flapping.factor) == (["undelivered_run"], 1, 0.5)
    assert (steady.raised, steady.cuts, steady.factor) == (["undelivered_run"], 1, 0.5)


def test_a_reported_block_that_is_lifted_and_comes_back_is_one_incident() -> None:
    story, before = Story().see(WELL), list[Closure]()
    for number in range(10):
        blocked = closure(story.now + SECOND, None)
        story.see(Evidence(closures=(*before, blocked)), MINUTE)
        before = [replace(blocked, until=story.now + 6 * HOUR)]
        story.see(Evidence(closures=tuple(before)), 7 * HOUR + number * MINUTE)
    assert (story.raised, story.cuts, story.factor) == (["restricted"], 1, 0.5)


def test_a_sign_after_a_clean_day_is_a_new_incident() -> None:
    story = Story().see(SILENT).see(WELL, HOUR)
    assert story.see(WELL, DAY - SECOND).cleared == []
    assert story.see(WELL, SECOND).cleared == ["undelivered_run"]
    assert story.see(SILENT, MINUTE).raised == ["undelivered_run"] * 2
    assert (story.cuts, story.factor) == (2, 0.3)


def test_a_block_between_two_evaluations_gives_an_alert_and_a_cut() -> None:
    story = Story().see(WELL)
    short = Evidence(closures=(closure(NOON + SECOND, NOON + 61 * SECOND),))
    story.see(short, HOUR).see(short, HOUR)
    assert (story.raised, story.cuts, story.cleared) == (["restricted"], 1, [])
    assert story.alerts["restricted"].quiet_since == NOON + 61 * SECOND
    assert story.see(short, DAY - 2 * HOUR + 61 * SECOND).cleared == ["restricted"]
    assert story.see(short, HOUR).raised == ["restricted"]


presences = st.lists(st.tuples(st.booleans(), st.timedeltas(SECOND, timedelta(hours=30))), max_size=30)


def one_incident(kind: str, presences: Iterable[tuple[bool, timedelta]]) -> tuple[Story, Story]:
    """A sign that is present at first, then comes and goes, and is never away for a whole clean day; and the same sign
    that stays."""
    flapping, steady, present_at, begun = Story(), Story(), NOON, NOON
    for present, pause in [(True, timedelta(0)), *presences]:
        now = flapping.now + pause
        present = present or now - present_at >= CLEAN_DAY - HOUR
        if now - present_at >= CLEAN_DAY:
            now = present_at + CLEAN_DAY - SECOND
        is_new = present and (flapping.condition is None or present_at != flapping.now)
        begun = now if is_new else begun
        until = None if present else min(present_at + SECOND, now)
        sign = (
            (SILENT if present else WELL)
            if kind == "undelivered_run"
            else Evidence(closures=(closure(begun, until, kind),))
        )
        always = SILENT if kind == "undelivered_run" else Evidence(closures=(closure(NOON, None, kind),))
        flapping.see(sign, now - flapping.now)
        steady.see(always, now - steady.now)
        present_at = now if present else present_at
    return flapping, steady


@pytest.mark.parametrize("kind", ["undelivered_run", "restricted", "account"])
@settings(max_examples=30)
@given(presences=presences)
def test_any_sequence_within_one_incident_gives_one_alert_and_one_cut(
    kind: str, presences: list[tuple[bool, timedelta]]
) -> None:
    flapping, steady = one_incident(kind, presences)
    assert (flapping.raised, flapping.cleared, flapping.cuts) == ([kind], [], 1)
    assert flapping.factor >= steady.factor == 0.5


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from([WELL, SILENT, *SCORES.values()]), pauses), max_size=20))
def test_there_are_never_more_cuts_than_alerts_of_signs(steps: list[tuple[Evidence, timedelta]]) -> None:
    story = Story()
    for evidence, pause in steps:
        story.see(evidence, 10 * pause)
    assert story.cuts <= sum(kind in CUTTING for kind in story.raised)


def test_a_sign_that_cuts_the_limits_must_be_gone_for_longer_than_another_reason() -> None:
    assert {kind: quiet_for(kind) for kind in ("stuck", "account", "health", "quality", "session")} == {
        "stuck": CLEAN_DAY, "account": CLEAN_DAY, "health": QUIET_FOR, "quality": QUIET_FOR, "session": QUIET_FOR,
    }  # fmt: skip
