"""A thousand recipients over four profiles: shared out evenly, and no rolling window ever over its limit."""

from collections import Counter
from zoneinfo import ZoneInfo

import pytest
from e2e.running import Answer, Running, eventually, moments, recipients, within_limits

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]

DEFAULT_LIMITS = {"per_hour": 20, "per_3_hours": 50, "per_day": 120}
CAIRO = ZoneInfo("Africa/Cairo")


async def test_a_thousand_over_four_profiles_keep_every_limit_and_the_rest(fast: Running, thousand: Answer) -> None:
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
        full |= within_limits(of_profile, DEFAULT_LIMITS)
        resting = [moment for moment in moments(of_profile) if 1 <= moment.astimezone(CAIRO).hour < 5]
        assert resting == [], f"{profile} sent in its rest window"
    # An hour is 3 s here, and a release counts until it is answered: on a busy machine the shorter windows stay under
    # their limits at the gateway. Without limits they would be over them: 26 an hour, by the least mean gap.
    assert "per_day" in full, "the limit of a day was never reached"
