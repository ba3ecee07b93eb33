"""Gateway failures: each has its consequence in each lane, seen from outside (the cases: refusals.py)."""

import contextlib
from collections.abc import Mapping

import pytest
from e2e.refusals import AGAIN, ELSEWHERE, EXPIRED, FAILED, TABLE, TAKEN, UNDONE, WAITS, Case, Lanes
from e2e.running import Running, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

SETTLE_SECONDS = 150.0
LANES_SECONDS = 30.0


async def closed(system: Running, profile: str) -> Lanes:
    """The lanes that the statistics closed, by their own history: a check of the profile may have opened them again."""
    answer = await system.ask_at("stats", f"/api/v1/profiles/{profile}/changes")
    assert answer.status == 200, answer.body
    shut = {each["what"] for each in answer.body["data"] if each["to"].startswith("blocked")}
    return frozenset(what.removesuffix(" lane") for what in shut)


async def test_every_failure_that_a_gateway_can_tell_has_its_consequence_in_each_lane(
    live: Running, refused: Mapping[str, Case]
) -> None:
    left = dict(refused)

    async def unsettled() -> list[str]:
        lines = await live.ledger()
        for name, case in list(left.items()):
            if await case.is_right(lines):
                del left[name]
        return list(left)

    with contextlib.suppress(AssertionError):  # what is wrong is told below, with what it should be
        await eventually(unsettled, SETTLE_SECONDS, lambda names: not names)
    lines = await live.ledger()  # all together once more: what was right may not have stayed so
    seen = {name: (await case.fates(lines), TABLE[case.driver][case.code]) for name, case in refused.items()}
    assert {name: fates for name, fates in seen.items() if fates[0] != fates[1]} == {}
    should_be = {
        profile: lanes for case in refused.values() for profile, lanes in case.shut(await live.ledger()).items()
    }

    async def wrong_lanes() -> dict[str, tuple[Lanes, Lanes]]:
        seen = {profile: (await closed(live, profile), lanes) for profile, lanes in should_be.items()}
        return {profile: lanes for profile, lanes in seen.items() if lanes[0] != lanes[1]}

    await eventually(wrong_lanes, LANES_SECONDS, lambda left: not left)
    for name, case in refused.items():
        expected = {
            AGAIN: {200, 202},
            ELSEWHERE: {200},
            FAILED: {409},
            UNDONE: {200},
            TAKEN: {200},
            WAITS: {202},
            EXPIRED: {409, 502},
        }
        assert case.answered in expected[TABLE[case.driver][case.code][1]], (name, case.answered)
