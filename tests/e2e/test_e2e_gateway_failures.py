"""Gateway failures: each code has its effect in each lane, seen from outside (failure_cases.py)."""

import contextlib
from collections.abc import Mapping

import pytest
from e2e.failure_cases import (
    AGAIN,
    ELSEWHERE,
    EXPECTED_FATES,
    EXPIRED,
    FAILED,
    TAKEN,
    UNDONE,
    WAITS,
    FailureCase,
    Lanes,
)
from e2e.system import RunningSystem, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

SETTLE_SECONDS = 150.0
LANES_SECONDS = 30.0


async def closed(system: RunningSystem, profile: str) -> Lanes:
    """The lanes that stats closed, from its history: a later health check may have opened them again."""
    answer = await system.ask_at("stats", f"/api/v1/profiles/{profile}/changes")
    assert answer.status == 200, answer.body
    shut = {each["what"] for each in answer.body["data"] if each["to"].startswith("blocked")}
    return frozenset(what.removesuffix(" lane") for what in shut)


async def test_every_failure_code_has_its_effect_in_each_lane(
    live: RunningSystem, failure_cases: Mapping[str, FailureCase]
) -> None:
    left = dict(failure_cases)

    async def unsettled() -> list[str]:
        lines = await live.ledger()
        for name, case in list(left.items()):
            if await case.has_expected_fates(lines):
                del left[name]
        return list(left)

    with contextlib.suppress(AssertionError):  # the assertion below shows what differs
        await eventually(unsettled, SETTLE_SECONDS, lambda names: not names)
    lines = await live.ledger()  # check all again: a correct result may have changed
    seen = {
        name: (await case.fates(lines), EXPECTED_FATES[case.driver][case.code]) for name, case in failure_cases.items()
    }
    assert {name: fates for name, fates in seen.items() if fates[0] != fates[1]} == {}
    should_be = {
        profile: lanes
        for case in failure_cases.values()
        for profile, lanes in case.expected_closures(await live.ledger()).items()
    }

    async def wrong_lanes() -> dict[str, tuple[Lanes, Lanes]]:
        seen = {profile: (await closed(live, profile), lanes) for profile, lanes in should_be.items()}
        return {profile: lanes for profile, lanes in seen.items() if lanes[0] != lanes[1]}

    await eventually(wrong_lanes, LANES_SECONDS, lambda left: not left)
    for name, case in failure_cases.items():
        expected = {
            AGAIN: {200, 202},
            ELSEWHERE: {200},
            FAILED: {409},
            UNDONE: {200},
            TAKEN: {200},
            WAITS: {202},
            EXPIRED: {409, 502},
        }
        assert case.reply_status in expected[EXPECTED_FATES[case.driver][case.code][1]], (name, case.reply_status)
