"""Plan: the two example requests of the project's plan, sent unchanged."""

from datetime import datetime, timedelta
from itertools import count

import pytest
from e2e.system import RunningSystem, eventually, recipients

from spreader.clock import wall_now

pytestmark = pytest.mark.e2e


async def test_the_open_message_of_the_plan(fast: RunningSystem) -> None:
    profiles = await fast.create_package("plan_open", 3)
    people = ["201000001", "201000002", "201000003"]
    answer = await fast.ask(
        "POST",
        "/packages/plan_open/messages/open",
        {
            "type": "text",
            "text": "Hello! Check out our new offers...",
            "recipients": people,
            "distribution": "round_robin",
            "options": {
                "schedule_at": "2024-02-10T10:00:00Z",
                "waiting_strategy": "drip",
                "drip_interval_minutes": 5,
            },
        },
    )
    assert answer.status == 202, answer.body
    body = answer.body
    assert body["message_id"].startswith("msg_")
    assert body["status"] == "queued"
    assert datetime.fromisoformat(body["estimated_completion"]).tzinfo is not None
    assert body["distribution"] == dict.fromkeys(profiles, 1)
    assert body["limits_status"] == {each: {"hourly": "0/20", "daily": "0/120"} for each in profiles}

    async def arrived() -> list[str]:
        return sorted(line["recipient"] for line in await fast.ledger(body["message_id"]))

    await eventually(arrived, 60, lambda seen: len(seen) >= 3)

    async def status() -> dict[str, int]:
        return (await fast.ask("GET", f"/messages/{body['message_id']}")).body["counts"]

    counts = await eventually(status, 30, lambda seen: seen["held"] + seen["released"] == 0)
    assert counts["sent"] + counts["delivered"] + counts["read"] == 3
    assert await arrived() == people  # a second copy would have arrived by now


async def test_a_send_shows_in_the_limits_of_the_next_response(live: RunningSystem) -> None:
    profiles = await live.create_package("plan_limits", 3)
    body = {"type": "text", "text": "Hello! Check out our new offers...", "recipients": recipients(3, start=120_000)}
    assert (await live.ask("POST", "/packages/plan_limits/messages/open", body)).status == 202
    tomorrow = {"schedule_at": (wall_now() + timedelta(days=1)).isoformat()}
    people = count(120_003)

    async def limits_status() -> dict[str, dict[str, str]]:
        later = {**body, "recipients": recipients(1, start=next(people)), "options": tomorrow}
        answer = await live.ask("POST", "/packages/plan_limits/messages/open", later, Prefer="respond-async")
        assert answer.status == 202, answer.body
        return answer.body["limits_status"]

    await eventually(
        limits_status, 30, lambda seen: seen == {each: {"hourly": "1/20", "daily": "1/120"} for each in profiles}
    )


async def test_the_reply_of_the_plan_is_sent_by_the_profile_that_the_customer_wrote_to(live: RunningSystem) -> None:
    profiles = await live.create_package("plan_reply", 3)
    for number, profile in enumerate(reversed(profiles)):
        customer = f"20100000010{number}"
        wrote = await live.ask_simulator("POST", f"/customers/{customer}/messages", {"profile": profile, "text": "Hi"})
        assert wrote.status == 202, wrote.body
        answer = await live.ask(
            "POST",
            "/packages/plan_reply/messages/reply",
            {
                "type": "text",
                "text": "Thank you for your order! It will be delivered tomorrow.",
                "recipient": customer,
                "conversation_id": "conv_xyz789",
            },
        )
        assert answer.status == 200, answer.body
        body = answer.body
        assert body["message_id"].startswith("msg_")
        assert body["status"] == "sent"
        assert datetime.fromisoformat(body["sent_at"]).tzinfo is not None
        assert body["profile_used"] == profile
        assert body["note"] == "Reply messages bypass all limits"
        lines = [line for line in await live.ledger() if line["recipient"] == customer]
        assert [(line["recipient"], line["profile"], line["ok"]) for line in lines] == [(customer, profile, True)]


async def test_a_customer_who_changes_profiles_gets_replies_from_the_newer_one(live: RunningSystem) -> None:
    one, two = await live.create_package("moving", 2)
    for profile in (one, two, one):
        await live.ask_simulator("POST", "/customers/201000000300/messages", {"profile": profile, "text": "Hi"})
        answer = await live.ask(
            "POST", "/packages/moving/messages/reply", {"type": "text", "text": "Yes?", "recipient": "201000000300"}
        )
        assert (answer.status, answer.body.get("profile_used")) == (200, profile)
