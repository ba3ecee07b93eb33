"""Health: tables of its components, of soft signs, risks and the limit factor; and laws of the statistics."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spreader.contract.configuration import Gateway, Profile, RestWindow
from spreader.contract.events import Quality, Quota, SessionState
from stats.core.closures import Closure
from stats.core.condition import evaluate
from stats.core.evidence import AccountStatus, Evidence, PackageBaseline
from stats.core.evidence_assembly import RawEvidence, assemble_evidence
from stats.core.health import Pause, health
from stats.core.limit_factor import LimitFactor
from stats.core.night import is_night
from stats.core.risks import risks
from stats.core.shares import Prior, Share, probability_below
from stats.core.soft_signs import soft_signs

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
BASELINE = PackageBaseline(Share(900, 1000), Share(200, 1000))


def share_of(part: str, **known: Any) -> float:
    known.setdefault("baseline", BASELINE)
    evidence = Evidence(**known)
    found = health(evidence, soft_signs(evidence), Pause(), NOON)
    return next(reason.share for reason in found.reasons if reason.name == part)


def closure(kind: str, since: datetime = NOON, until: datetime | None = None) -> Closure:
    return Closure("sales", "open", kind, since, until, 1, "131048: too many blocked")


@pytest.mark.parametrize(
    ("part", "known", "share"),
    [
        ("delivered", {}, 0.9),
        ("delivered", {"delivered": Share(0, 3)}, 0.69),
        ("delivered", {"delivered": Share(95, 100)}, 0.95),
        ("delivered", {"delivered": Share(20, 100)}, 0.26),
        ("block signals", {}, 1.0),
        ("block signals", {"closures": (closure("restricted"),)}, 0.0),
        ("block signals", {"closures": (closure("restricted", NOON - DAY),)}, 0.5),
        ("block signals", {"closures": (closure("restricted", NOON - 3 * DAY),)}, 0.88),
        ("block signals", {"closures": (closure("quota"),)}, 0.7),
        ("block signals", {"closures": (closure("credentials"), closure("session"))}, 1.0),
        ("block signals", {"closures": (closure("account"), closure("profile"))}, 0.0),
        ("block signals", {"unacknowledged_in_a_row": 5}, 0.5),
        ("replies", {}, 1.0),
        ("replies", {"answered": Share(0, 3)}, 0.77),
        ("replies", {"answered": Share(0, 80)}, 0.11),
        ("replies", {"answered": Share(40, 100)}, 1.0),
        ("replies", {"answered": Share(0, 500), "baseline": PackageBaseline(Share(0, 0), Share(0, 1000))}, 1.0),
        ("failures", {}, 0.98),
        ("failures", {"failed": Share(50, 100)}, 0.58),
        ("connection", {}, 1.0),
        ("connection", {"account": AccountStatus("working")}, 1.0),
        ("connection", {"account": AccountStatus("starting")}, 0.5),
        ("connection", {"account": AccountStatus("unlinked")}, 0.0),
    ],
)
def test_the_share_of_each_component_of_health(part: str, known: dict[str, Any], share: float) -> None:
    assert share_of(part, **known) == share


@pytest.mark.parametrize(
    ("quality", "score", "says"),
    [(None, 97, None), ("green", 97, None), ("unknown", 97, None), ("yellow", 60, "yellow"), ("red", 30, "red")],
)
def test_a_reported_quality_caps_the_score(quality: Quality | None, score: int, says: str | None) -> None:
    found = health(Evidence(baseline=BASELINE, account=AccountStatus(None, quality)), (), Pause(), NOON)
    assert found.score == score
    assert (found.capped_by is None) if says is None else (says in (found.capped_by or ""))


def test_each_component_names_its_evidence() -> None:
    known = Evidence(
        delivered=Share(81, 90), answered=Share(3, 80), failed=Share(2, 92), baseline=BASELINE,
        closures=(closure("restricted"),), account=AccountStatus("working"),
    )  # fmt: skip
    found = health(known, (), Pause(), NOON)
    assert [(each.name, each.weight, each.evidence) for each in found.reasons] == [
        ("delivered", 30, "81 of 90 sent over an hour ago were delivered (24 hours); usual in the package are 90%"),
        ("block signals", 30, "restricted: 131048: too many blocked"),
        ("replies", 20, "3 of 80 delivered open messages were answered (24 hours); usual in the package are 20%"),
        ("failures", 10, "2 of 92 failed for reasons of the profile's (24 hours)"),
        ("connection", 10, "the gateway says that the session is working"),
    ]


@pytest.mark.parametrize(
    ("known", "signs"),
    [
        ({}, []),
        ({"delivered": Share(0, 7)}, []),
        ({"delivered": Share(0, 8)}, ["delivered_share"]),
        ({"delivered": Share(2, 8)}, []),
        ({"delivered": Share(30, 100)}, ["delivered_share"]),
        ({"delivered_lately": Share(0, 9), "delivered": Share(90, 100)}, ["delivered_share"]),
        ({"delivered": Share(60, 100), "delivered_before": Share(590, 600)}, []),
        ({"delivered": Share(20, 100), "baseline": PackageBaseline(Share(200, 1000))}, []),
        ({"misses_in_a_row": 4}, []),
        ({"misses_in_a_row": 5}, ["undelivered_run"]),
        ({"answered": Share(0, 40), "baseline": BASELINE}, []),
        ({"answered": Share(0, 80), "baseline": BASELINE}, ["reply_share"]),
        ({"answered": Share(0, 80), "baseline": PackageBaseline(Share(0, 0), Share(0, 900))}, []),
        ({"cold_failed": 2, "warm_delivered": 1}, ["cold_sends"]),
        ({"cold_failed": 2, "cold_delivered": 1, "warm_delivered": 1}, []),
        ({"cold_failed": 2, "warm_delivered": 1, "warm_failed": 1}, []),
        ({"cold_failed": 9}, []),
        ({"stuck": Share(2, 2)}, []),
        ({"stuck": Share(3, 12)}, ["stuck"]),
        ({"stuck": Share(3, 13)}, []),
        ({"unacknowledged_in_a_row": 4}, []),
        ({"unacknowledged_in_a_row": 5, "account": AccountStatus("working")}, ["silent"]),
        ({"unacknowledged_in_a_row": 5, "account": AccountStatus("unlinked")}, []),
    ],
)
def test_which_evidence_is_a_soft_sign(known: dict[str, Any], signs: list[str]) -> None:
    assert [each.kind for each in soft_signs(Evidence(**known))] == signs


def gaps(*seconds: float) -> tuple[datetime, ...]:
    """Times with these gaps, repeated, the newest first."""
    moments = [NOON]
    for place in range(50):
        moments.append(moments[-1] - seconds[place % len(seconds)] * SECOND)
    return tuple(moments)


SAME, OTHERS = "0123456789abcdef", [f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}" for number in range(50)]


@pytest.mark.parametrize(
    ("known", "kinds"),
    [
        ({}, []),
        ({"open_sent_at": gaps(180)}, ["even_gaps"]),
        ({"open_sent_at": gaps(180)[:50]}, []),
        ({"open_sent_at": gaps(160, 200)}, ["even_gaps"]),
        ({"open_sent_at": gaps(150, 210)}, []),
        ({"fingerprints": [SAME] * 50}, ["same_text"]),
        ({"fingerprints": [SAME] * 49}, []),
        ({"fingerprints": [SAME] * 40 + OTHERS[:10]}, []),
        ({"fingerprints": [SAME] * 41 + OTHERS[:9]}, ["same_text"]),
        ({"fingerprints": OTHERS}, []),
        ({"new_contacts": Share(95, 100), "answered_week": Share(1, 90)}, ["cold_unanswered"]),
        ({"new_contacts": Share(95, 100), "answered_week": Share(2, 90)}, []),
        ({"new_contacts": Share(90, 100)}, []),
        ({"new_contacts": Share(49, 49)}, []),
        ({"hour_open": 30}, []),
        ({"hour_open": 31}, ["crowded_hour"]),
        ({"hour_open": 31, "per_day": 200}, []),
        ({"invalid": Share(2, 19)}, []),
        ({"invalid": Share(3, 20)}, ["invalid_numbers"]),
        ({"invalid": Share(2, 20)}, []),
        ({"night": Share(11, 20)}, ["night"]),
        ({"night": Share(10, 20)}, []),
        ({"night": Share(19, 19)}, []),
    ],
)
def test_which_evidence_is_a_risk(known: dict[str, Any], kinds: list[str]) -> None:
    assert [each.kind for each in risks(Evidence(**known))] == kinds


def test_a_day_of_the_default_hours_is_no_risk_wherever_the_recipients_live() -> None:
    """120 messages are sent evenly over the 20 hours outside the default rest window. Before, recipients whose night
    the rest window covers were a risk too."""
    rest = RestWindow()
    begin = datetime(2026, 3, 1, rest.start.hour, tzinfo=UTC) + timedelta(hours=rest.hours)
    sent_at = [begin + timedelta(hours=24 - rest.hours) * number / 120 for number in range(120)]
    for number in ("447911123456", "201001234567", "919812345678", "5215512345678", "61412345678", "81901234567"):
        night = Share(sum(is_night(number, at) for at in sent_at), len(sent_at))
        assert (number, risks(Evidence(night=night))) == (number, ())


def test_night_is_not_judged_for_a_package_with_quiet_hours() -> None:
    raw = RawEvidence(lately={"night": 47, "sent_open": 50})
    gateway = Gateway(driver="simulator", base_url="http://gateway", account="sales")
    profile = Profile(profile_id="sales", name="Sales", phone="201000000001", gateway=gateway)
    known = (raw, profile, PackageBaseline(), AccountStatus(), (), None, NOON)
    (risk,) = risks(assemble_evidence(*known))
    assert risk.evidence == "47 of 50 messages in 24 h reached people at night (0:00 to 6:00). Turn on quiet hours."
    assert risks(assemble_evidence(*known, has_quiet_hours=True)) == ()


def test_the_factor_is_halved_at_most_once_in_six_hours_and_rises_by_clean_days() -> None:
    factor, story = LimitFactor(), list[float]()
    for hours in (0, 1, 6, 12, 18, 24):
        factor = factor.halved("463", NOON + hours * HOUR)
        story.append(factor.value)
    assert story == [0.5, 0.5, 0.25, 0.125, 0.1, 0.1]
    last = NOON + 24 * HOUR
    days = [factor.recovered(last + hours * HOUR).value for hours in (23, 24, 47, 48, 9 * 24, 99 * 24)]
    assert days == [0.1, 0.2, 0.2, 0.3, 1.0, 1.0]


@pytest.mark.parametrize(
    ("account", "in_force", "says"),
    [
        (AccountStatus(), 1.0, None),
        (AccountStatus(quality="green"), 1.0, None),
        (AccountStatus(quality="yellow"), 0.5, "rates the number yellow"),
        (AccountStatus(quota=Quota(total=100, used=71, warning="first")), 0.5, "71 of 100 new chats"),
        (AccountStatus(quota=Quota(total=100, used=91, warning="second")), 0.2, "91 of 100 new chats"),
        (AccountStatus(quota=Quota(total=100, used=1)), 1.0, None),
    ],
)
def test_reported_quality_and_quota_lower_the_factor(account: AccountStatus, in_force: float, says: str | None) -> None:
    value, cause = LimitFactor().in_force(account)
    assert (value, cause is None) == (in_force, says is None)
    assert says is None or says in (cause or "")


@pytest.mark.parametrize(
    ("score", "paused_for", "stays_paused"),
    [(39, None, True), (40, None, False), (55, 5 * HOUR, True), (55, 6 * HOUR, False), (54, 99 * HOUR, True)],
)
def test_at_which_scores_a_pause_begins_and_ends(score: int, paused_for: timedelta | None, stays_paused: bool) -> None:
    pause = Pause(None if paused_for is None else NOON - paused_for).after(score, NOON)
    assert (pause.since is not None) is stays_paused


def test_a_lasting_sign_halves_the_factor_once_and_prevents_clean_days() -> None:
    silent = Evidence(misses_in_a_row=5)
    first = evaluate("sales", silent, None, (), NOON)
    assert first.condition.factor.value == 0.5
    later = evaluate("sales", silent, first.condition, first.alert_reasons, NOON + 2 * DAY)
    assert later.condition.factor.value == 0.5
    clean = evaluate("sales", Evidence(), later.condition, later.alert_reasons, NOON + 3 * DAY)
    assert clean.condition.factor.value == 0.6


def test_a_closure_between_two_evaluations_still_halves_the_factor() -> None:
    before = evaluate("sales", Evidence(), None, (), NOON).condition
    short = replace(closure("restricted", NOON + SECOND), until=NOON + 61 * SECOND)
    after = evaluate("sales", Evidence(closures=(short,)), before, (), NOON + HOUR)
    assert after.condition.factor.value == 0.5
    again = evaluate("sales", Evidence(closures=(short,)), after.condition, (), NOON + 8 * HOUR)
    assert again.condition.factor.value == 0.5


@given(st.integers(0, 30), st.integers(0, 30), st.floats(0.01, 0.99))
def test_a_posterior_is_a_probability_and_more_hits_make_a_low_share_less_probable(
    hits: int, misses: int, bound: float
) -> None:
    here = probability_below(Share(hits, hits + misses), bound)
    assert 0 <= here <= 1
    assert probability_below(Share(hits + 1, hits + misses + 1), bound) <= here + 1e-9
    assert probability_below(Share(hits, hits + misses + 1), bound) >= here - 1e-9


@pytest.mark.parametrize(("hits", "trials", "bound"), [(300, 1000, 0.31), (3000, 10_000, 0.305), (90, 100, 0.9)])
def test_the_posterior_of_many_trials_is_near_the_exact_one(hits: int, trials: int, bound: float) -> None:
    """Compared with a numeric integral of the density."""
    steps = [each / 100_000 for each in range(1, 100_000)]
    peak = hits / trials

    def density(share: float) -> float:
        import math

        return math.exp(
            hits * (math.log(share) - math.log(peak)) + (trials - hits) * (math.log1p(-share) - math.log1p(-peak))
        )

    whole = sum(map(density, steps))
    below = sum(density(each) for each in steps if each < bound)
    assert probability_below(Share(hits, trials), bound) == pytest.approx(below / whole, abs=0.01)


@given(st.integers(0, 50), st.integers(0, 50))
def test_a_smoothed_share_is_between_the_prior_and_the_observed_share(hits: int, misses: int) -> None:
    prior, seen = Prior(0.9, 10), Share(hits, hits + misses)
    low, high = sorted((prior.share, seen.exact if seen.exact is not None else prior.share))
    assert low - 1e-9 <= prior.smoothed(seen) <= high + 1e-9


def test_every_session_state_has_a_share_of_the_connection() -> None:
    sessions: tuple[SessionState, ...] = ("working", "starting", "stopped", "unlinked", "failed")
    assert all(0 <= share_of("connection", account=AccountStatus(each)) <= 1 for each in sessions)
