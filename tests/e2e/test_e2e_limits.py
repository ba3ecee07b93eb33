"""Limits: 1,000 recipients are shared evenly by four profiles, and no rolling window exceeds its limit."""

from collections import Counter
from zoneinfo import ZoneInfo

import pytest
from e2e.system import Response, RunningSystem, assert_within_limits, eventually, recipients, send_times

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]

DEFAULT_LIMITS = {"per_hour": 20, "per_3_hours": 50, "per_day": 120}
CAIRO = ZoneInfo("Africa/Cairo")


async def test_a_thousand_over_four_profiles_keep_every_limit_and_the_rest_window(
    fast: RunningSystem, thousand: Response
) -> None:
    profiles = [f"thousand_p{number}" for number in (1, 2, 3, 4)]
    assert thousand.status == 202, thousand.body
    assert thousand.body["distribution"] == dict.fromkeys(profiles, 250)
    message_id = thousand.body["message_id"]

    async def counts() -> dict[str, int]:
        return (await fast.ask("GET", f"/messages/{message_id}")).body["counts"]

    await eventually(counts, 400, lambda seen: seen["sent"] + seen["delivered"] + seen["read"] == 1_000)
    lines = await fast.ledger(message_id)
    sent = [line for line in lines if line["ok"]]
    assert Counter(line["recipient"] for line in sent) == Counter(recipients(1_000))
    assert Counter(line["profile"] for line in sent) == dict.fromkeys(profiles, 250)
    full = set[str]()
    for profile in profiles:
        of_profile = [line for line in lines if line["profile"] == profile]
        full |= assert_within_limits(of_profile, DEFAULT_LIMITS)
        resting = [time for time in send_times(of_profile) if 1 <= time.astimezone(CAIRO).hour < 5]
        assert resting == [], f"{profile} sent in its rest window"
    # An hour takes 3 s here, and a release counts against the limits until its outcome arrives. On a busy machine the
    # sends may therefore stay below the shorter limits. Without limits there would be 26 an hour.
    assert "per_day" in full, "the limit of a day was never reached"
