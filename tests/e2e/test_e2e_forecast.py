"""Forecasts and explanations on the whole system: forecasts come true, and each held delivery has its reason."""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from e2e.system import RunningSystem, eventually, recipients, send_times

from spreader.clock import wall_now

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

Keep = Callable[[str, Mapping[str, Any]], None]

DELIVERIES, PROFILES = 500, 4
HOUR = timedelta(hours=1)


@pytest.mark.usefixtures("thousand")
async def test_the_forecast_for_500_recipients_comes_true(fast: RunningSystem, keep: Keep) -> None:
    """The completion is within 10 %; the number released by the end of each hour is within 20 % of all deliveries."""
    await fast.create_package("foreseen", PROFILES, timezone="Africa/Cairo")
    people = recipients(DELIVERIES, start=800_000)
    body = {"type": "text", "text": "Hello", "recipients": people}
    preview = await fast.ask("POST", "/packages/foreseen/messages/preview", body)
    assert preview.status == 200, preview.body
    answer = await fast.ask("POST", "/packages/foreseen/messages/open", body)
    assert answer.status == 202, answer.body
    assert preview.body["distribution"] == answer.body["distribution"]
    mine = set(people)

    async def lines() -> list[dict[str, str]]:
        return [line for line in await fast.ledger() if line["recipient"] in mine and line["ok"]]

    reached = send_times(await eventually(lines, 280, lambda seen: len(seen) == DELIVERIES))
    begin, end = reached[0], reached[-1]
    foreseen = {"preview": preview.body["estimated_completion"], "answer": answer.body["estimated_completion"]}
    errors = {name: (datetime.fromisoformat(time) - end) / (end - begin) for name, time in foreseen.items()}
    curve = {datetime.fromisoformat(each["begin"]): each["deliveries"] for each in preview.body["curve"]}
    assert sum(curve.values()) == DELIVERIES
    happened = Counter(time.astimezone(UTC).replace(minute=0, second=0, microsecond=0) for time in reached)
    ahead, offs = 0, dict[datetime, float]()
    hour, last = min([*curve, *happened]), max([*curve, *happened])
    while hour <= last:
        ahead += curve.get(hour, 0) - happened.get(hour, 0)
        offs[hour] = ahead / DELIVERIES
        hour += HOUR
    keep(
        "forecast",
        {
            "recipients": DELIVERIES,
            "profiles": PROFILES,
            "hours": round((end - begin) / HOUR, 1),
            "completion_off": {name: round(error, 3) for name, error in errors.items()},
            "completion_unit": "of the time from the first delivery to the last; over 0: foreseen too late",
            "curve_off_most": round(max(offs.values(), key=abs), 3),
            "curve_unit": "of all deliveries, at the end of an hour; over 0: foreseen too early",
        },
    )
    assert max(map(abs, errors.values())) <= 0.1, f"forecast {foreseen}, actual {end}: off by {errors}"
    wrong = {hour: off for hour, off in offs.items() if abs(off) > 0.2}
    assert wrong == {}, f"by the end of the hours from these times too many or too few were released: {wrong}"


async def test_a_changed_setting_shows_in_the_next_release(live: RunningSystem, keep: Keep) -> None:
    """The delay is recorded, not asserted."""
    slow = {"min_seconds": 3600, "max_seconds": 3600}
    await live.create_package("changed", 1, rest_window=None, gap=slow)
    people = recipients(3, start=810_000)
    body = {"type": "text", "text": "Hello", "recipients": people}
    message = (await live.ask("POST", "/packages/changed/messages/open", body)).body["message_id"]

    async def arrived() -> list[dict[str, str]]:
        return [line for line in await live.ledger() if line["recipient"] in people]

    await eventually(arrived, 30, lambda seen: len(seen) == 1)

    async def shown() -> list[dict[str, str]]:
        return (await live.ask("GET", f"/messages/{message}/deliveries")).body["data"]

    deliveries = await eventually(shown, 30, lambda rows: len(rows) == 3)
    waiting = next(each for each in deliveries if each["recipient"] == people[1])

    async def explained() -> dict[str, str]:
        return (await live.ask("GET", f"/deliveries/{waiting['delivery_id']}/explain")).body["pacing"]

    explanation = await eventually(explained, 20, lambda seen: seen.get("bound") == "gap")
    assert set(explanation["bounds"]) == {"gap"}
    queue = (await live.ask("GET", "/packages/changed/queue")).body
    assert (queue["held"], queue["profiles"][0]["bound"]) == (2, "gap")
    assert queue["profiles"][0]["factors"]["gap_min_seconds"] >= 600  # 3,600 s × pressure 0.5 × a tempo below 1
    wide = {"per_hour": 3600, "per_3_hours": 9000, "per_day": 20_000}  # an hour has at most a quarter of the day limit
    quick = {"gap": {"min_seconds": 1, "max_seconds": 1}, "profile_limits": wide}
    what_if = await live.ask("POST", "/packages/changed/what-if", quick)
    assert what_if.status == 200, what_if.body
    assert what_if.body["then"]["completion"] < what_if.body["now"]["completion"]
    changed = await live.ask("PATCH", "/packages/changed", quick)
    answered = wall_now()
    assert changed.status == 200, changed.body
    lines = await eventually(arrived, 30, lambda seen: len(seen) == 3)
    taken = datetime.fromisoformat(lines[1]["wall"]) - answered
    measured = "from the answer to a PATCH of gap and limits to the gateway's line of the next delivery"
    keep("settings-in-force", {"seconds": round(taken.total_seconds(), 3), "unit": "s", "measured": measured})


async def test_bad_settings_are_refused_by_field_and_odd_ones_get_a_warning(live: RunningSystem) -> None:
    await live.create_package("settings", 1)
    for settings, pointer in (
        ({"gap": {"min_seconds": 300, "max_seconds": 60}}, "/gap"),
        ({"profile_limits": {"per_hour": 0}}, "/profile_limits/per_hour"),
        ({"profile_limits": {"per_day": -1}}, "/profile_limits/per_day"),
        ({"timezone": "Mars/Base"}, "/timezone"),
        ({"rest_window": {"start": "01:00", "hours": 24}}, "/rest_window/hours"),
    ):
        refused = await live.ask("PATCH", "/packages/settings", settings)
        assert (refused.status, refused.body["errors"][0]["pointer"]) == (422, pointer)
    odd = await live.ask("PATCH", "/packages/settings", {"profile_limits": {"per_hour": 200, "per_day": 50}})
    assert odd.status == 200
    assert "/profile_limits/per_hour" in {each["pointer"] for each in odd.body["warnings"]}
