"""A thousand recipients over four profiles: shared out evenly, and no rolling window ever over its limit."""

from collections import Counter
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from e2e.running import Running, eventually, moments, recipients

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]

WINDOWS = ((timedelta(hours=1), 20), (timedelta(hours=3), 50), (timedelta(days=1), 120))
CAIRO = ZoneInfo("Africa/Cairo")


async def test_a_thousand_over_four_profiles_keep_every_limit_and_the_rest(fast: Running) -> None:
    profiles = await fast.package("thousand", 4, timezone="Africa/Cairo", rest_window={"start": "01:00", "hours": 4})
    answer = await fast.ask(
        "POST", "/packages/thousand/messages/open", {"type": "text", "text": "Hello", "recipients": recipients(1_000)}
    )
    assert answer.status == 202, answer.body
    assert answer.body["distribution"] == dict.fromkeys(profiles, 250)
    message_id = answer.body["message_id"]

    async def counts() -> dict[str, int]:
        return (await fast.ask("GET", f"/messages/{message_id}")).body["counts"]

    await eventually(counts, 400, lambda seen: seen["sent"] + seen["delivered"] + seen["read"] == 1_000)
    lines = await fast.ledger(message_id)
    assert Counter(line["recipient"] for line in lines) == Counter(recipients(1_000))
    assert Counter(line["profile"] for line in lines) == dict.fromkeys(profiles, 250)
    for profile in profiles:
        sent = moments([line for line in lines if line["profile"] == profile])
        for window, limit in WINDOWS:
            too_close = [
                (first, last) for first, last in zip(sent, sent[limit:], strict=False) if last - first < window
            ]
            assert too_close == [], f"{profile} has more than {limit} within {window}"
        resting = [moment for moment in sent if 1 <= moment.astimezone(CAIRO).hour < 5]
        assert resting == [], f"{profile} sent in its rest window"
