"""Facts: the statement and the simulation find the same facts in a ledger."""

from collections import Counter
from datetime import datetime, timedelta
from random import Random

import pytest
from sqlalchemy import text

from pacer.core.gap import PAIRS_SPAN
from pacer.core.limits import CONTACT_WINDOWS, DAY, rolling_limits
from pacer.core.policy import Rules
from pacer.core.simulation import SimulatedProfile
from pacer.release.facts import read_facts, to_facts
from pacer.sql import views
from pacer.sql.release import PacedProfile
from pacer.testing import START, Pacer, package
from spreader.contract.bounds import Bound
from spreader.contract.configuration import ProfileLimits
from spreader.runtime.rows import fetched

pytestmark = pytest.mark.postgres

PROFILES = 200
SECOND = timedelta(seconds=1)

RELEASE = text("""
INSERT INTO pacer.release (profile_id, number, package_id, delivery_id, recipient, cold, released_at, effective_at)
SELECT :profile_id, place, 'one', :profile_id || '/' || place, 'r' || place, cold, at, at
FROM unnest(CAST(:ats AS timestamptz[]), CAST(:colds AS boolean[])) WITH ORDINALITY AS made (at, cold, place)""")
OPENED = text("""
INSERT INTO pacer.contact (profile_id, recipient, opened_at, last_release, unanswered)
SELECT :profile_id, 'r' || place, at, at, true
FROM unnest(CAST(:ats AS timestamptz[])) WITH ORDINALITY AS made (at, place)""")
PROFILE = text("INSERT INTO pacer.profile (profile_id, package_id, last_release) VALUES (:profile_id, 'one', :last)")
UNANSWERED = text("""
UPDATE pacer.release SET effective_at = 'infinity'
WHERE (profile_id, number) IN (SELECT profile_id, max(number) FROM pacer.release GROUP BY profile_id)""")


def drawn_limits(chance: Random) -> ProfileLimits:
    """Small limits: each window is full on some profiles and not on others."""
    return ProfileLimits(
        per_hour=chance.randint(1, 3),
        per_3_hours=chance.randint(1, 5),
        per_day=chance.randint(1, 12),
        new_contacts_per_day=chance.randint(1, 3),
        unanswered_per_30_days=chance.randint(1, 6),
    )


def drawn_moments(chance: Random, rules: Rules) -> list[datetime]:
    """Times near the edges of the windows and of their slack; the newest is last."""
    windows = [*(limit.window for limit in rolling_limits(rules.limits)), *(window for _, window in CONTACT_WINDOWS)]
    edges = [timedelta(0), *windows, DAY - PAIRS_SPAN][chance.randint(0, 1) :]  # half of them have released just now
    offs = [-SECOND, SECOND, rules.slack_max / 2, rules.slack_max - SECOND, rules.slack_max + SECOND, 20 * 60 * SECOND]
    return sorted({START - SECOND - chance.choice(edges) - chance.choice(offs) for _ in range(chance.randint(1, 14))})


@pytest.mark.parametrize("newest_is_answered", [True, False])
async def test_the_statement_and_the_simulation_find_the_same_facts(pacer: Pacer, newest_is_answered: bool) -> None:
    """Fails if any span, limit, slack or order of the statement changes, or if unanswered releases do not count."""
    rules, simulated = configured(pacer, chance := Random(5)), dict[str, SimulatedProfile]()
    async with pacer.engine.begin() as connection:
        for name, each in rules.items():
            moments = drawn_moments(chance, each)
            colds = [chance.random() < 0.6 for _ in moments]
            opened = [moment for moment, cold in zip(moments, colds, strict=True) if cold]
            simulated[name] = SimulatedProfile(name, each, moments, opened)
            await connection.execute(PROFILE, {"profile_id": name, "last": moments[-1]})
            await connection.execute(RELEASE, {"profile_id": name, "ats": moments, "colds": colds})
            await connection.execute(OPENED, {"profile_id": name, "ats": opened})
        if not newest_is_answered:
            await connection.execute(UNANSWERED)
        found = await read_facts(connection, rules, START)
        profiles = fetched(PacedProfile, await connection.execute(views.PROFILES, {"profile_ids": list(rules)}))
        rows = {row.profile_id: row for row in profiles}
    full, pairs = set[str](), Counter[int | None]()
    for name, profile in simulated.items():
        read, reckoned = to_facts(rows[name], found[name], rules[name], None), profile.facts(START, {})
        free, contacts = dict(reckoned.full_until), dict(reckoned.contacts_full_until)
        if not newest_is_answered:
            free |= {limit.bound: None for limit in rolling_limits(rules[name].limits) if limit.releases_max == 1}
            if rules[name].limits.new_contacts_per_day == 1 and profile.contacts[-1:] == profile.releases[-1:]:
                contacts[Bound.NEW_CONTACTS_LIMIT] = None
        assert (read.full_until, read.contacts_full_until) == (free, contacts), name
        assert read.sent_last_2_hours == reckoned.sent_last_2_hours
        pair = reckoned.pair if newest_is_answered or rules[name].limits.per_day > 2 else None
        assert read.pair == pair, name
        full |= free.keys() | contacts.keys()
        pairs[pair and pair.places] += 1
    assert full >= {
        Bound.HOUR_LIMIT,
        Bound.THREE_HOURS_LIMIT,
        Bound.DAY_LIMIT,
        Bound.NEW_CONTACTS_LIMIT,
        Bound.UNANSWERED_BUDGET,
    }
    assert pairs.keys() >= {None, 1, 2, 3}


def configured(pacer: Pacer, chance: Random) -> dict[str, Rules]:
    crowd = package(profiles=PROFILES)
    profiles = tuple(each.model_copy(update={"limits": drawn_limits(chance)}) for each in crowd.profiles)
    pacer.config.configure(crowd.model_copy(update={"profiles": profiles}))
    rules = {each.profile_id: pacer.config.rules(crowd.package_id, each.profile_id, START) for each in profiles}
    return {name: each for name, each in rules.items() if each is not None}
