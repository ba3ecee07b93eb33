"""Failures at the gateway: each class has its effect in each lane, and no delivery arrives twice."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from e2e.system import RunningSystem, assert_within_limits, eventually, recipients

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

WIDE = {"per_hour": 3_000, "per_3_hours": 9_000, "per_day": 20_000, "unanswered_per_30_days": None}
HELD_BY_BLOCKED, WEIGHT = 10_000, 100
Keep = Callable[[str, Mapping[str, Any]], None]


async def _arrived(system: RunningSystem, people: list[str]) -> list[dict[str, Any]]:
    mine = set(people)
    return [line for line in await system.ledger() if line["recipient"] in mine and line["ok"]]


async def _fault(system: RunningSystem, **fault: Any) -> None:
    assert (await system.ask_simulator("POST", "/faults", fault)).status == 201


BRIEF: dict[str, dict[str, float]] = {"throttled": {"seconds": 0.2}}
OPEN = {
    "transient": ("sent", None),
    "throttled": ("sent", None),
    "profile_blocked": ("sent", "another profile"),
    "recipient_invalid": ("failed", None),
    "content_refused": ("failed", None),
}


@pytest.mark.parametrize(("code", "fate"), OPEN.items(), ids=OPEN)
async def test_each_failure_once_for_an_open_delivery(
    fast: RunningSystem, code: str, fate: tuple[str, str | None]
) -> None:
    package = f"open_{code}"
    profiles = await fast.create_package(package, 2, profile_limits=WIDE, rest_window=None)
    (person,) = recipients(1, start=300_000 + list(OPEN).index(code))
    await _fault(fast, kind="fail", code=code, recipient=person, count=1, **BRIEF.get(code, {}))
    body = {"type": "text", "text": "Hello", "recipients": [person]}
    message = (await fast.ask("POST", f"/packages/{package}/messages/open", body)).body["message_id"]

    async def ended() -> dict[str, int]:
        counts = (await fast.ask("GET", f"/messages/{message}")).body["counts"]
        return {status: count for status, count in counts.items() if count}

    status, where = fate
    reached = {"sent", "delivered", "read"} if status == "sent" else {status}
    await eventually(ended, 60, lambda counts: set(counts) <= reached and bool(counts))
    lines = await _arrived(fast, [person])
    assert len(lines) == (1 if status == "sent" else 0)
    tried = {line["profile"] for line in await fast.ledger() if line["recipient"] == person and not line["ok"]}
    if where == "another profile":
        assert {lines[0]["profile"]} | tried == set(profiles)
    elif lines:
        assert {lines[0]["profile"]} == tried


REPLY = {
    "transient": (200, "sent"),
    "throttled": (200, "sent"),
    "profile_blocked": (200, "sent"),
    "recipient_invalid": (409, None),
    "content_refused": (409, None),
}


@pytest.mark.parametrize(("code", "fate"), REPLY.items(), ids=REPLY)
async def test_each_failure_once_for_a_reply(live: RunningSystem, code: str, fate: tuple[int, str | None]) -> None:
    package = f"reply_{code}"
    profiles = await live.create_package(package, 2)
    (person,) = recipients(1, start=310_000 + list(REPLY).index(code))
    await _fault(live, kind="fail", code=code, recipient=person, count=1, **BRIEF.get(code, {}))
    answer = await live.ask(
        "POST", f"/packages/{package}/messages/reply", {"type": "text", "text": "Yes", "recipient": person}
    )
    assert answer.status == fate[0], answer.body
    lines = await _arrived(live, [person])
    assert len(lines) == (1 if fate[1] == "sent" else 0)
    if code == "profile_blocked":
        assert lines[0]["profile"] in profiles
        assert answer.body["profile_used"] == lines[0]["profile"]
        assert "given back by" in answer.body["profile_reason"]


async def test_held_deliveries_of_a_blocked_profile_are_sent_by_the_others(fast: RunningSystem) -> None:
    profiles = await fast.create_package("moved", 4, profile_limits={**WIDE, "per_hour": 150, "per_day": 3_000})
    people = recipients(240, start=320_000)
    await _fault(fast, kind="fail", code="profile_blocked", profile="moved_p1")
    body = {"type": "text", "text": "Hello", "recipients": people}
    answer = await fast.ask("POST", "/packages/moved/messages/open", body)
    assert answer.body["distribution"] == dict.fromkeys(profiles, 60)

    async def arrived() -> Counter[str]:
        return Counter(line["recipient"] for line in await _arrived(fast, people))

    await eventually(arrived, 200, lambda seen: len(seen) == len(people))
    assert await arrived() == Counter(people)
    senders = Counter(line["profile"] for line in await _arrived(fast, people))
    assert set(senders) == set(profiles[1:])
    assert max(senders.values()) - min(senders.values()) <= 30
    await fast.ask_simulator("DELETE", "/faults")


async def _send_ten_thousand_to_a_blocked_profile(
    system: RunningSystem, package: str, people: list[str], others: int, **limits: Any
) -> str:
    """Send to `people`; by weights the first profile gets 10,000 of them and the others share the rest.

    The gateway refuses the first send of the first profile because the profile is blocked. Returns the message id.
    """
    weight = WEIGHT * (len(people) - HELD_BY_BLOCKED) // HELD_BY_BLOCKED // others
    profiles = await system.create_package(
        package, 1 + others, distribution="weighted", profile_limits={**WIDE, **limits}
    )
    for profile, share in zip(profiles, [WEIGHT] + [weight] * others, strict=True):
        changed = await system.ask("PATCH", f"/packages/{package}/profiles/{profile}", {"weight": share})
        assert changed.status == 200, changed.body
    await _fault(system, kind="fail", code="profile_blocked", profile=profiles[0])
    body = {"type": "text", "text": "Hello", "recipients": people}
    answer = await system.ask("POST", f"/packages/{package}/messages/open", body)
    assert answer.status == 202, answer.body
    return answer.body["message_id"]


@pytest.mark.recorded
async def test_ten_thousand_held_by_a_blocked_profile_are_shared_among_the_others(
    live: RunningSystem, keep: Keep
) -> None:
    """The duration is recorded, not asserted."""
    people = recipients(13_000, start=5_000_000)
    message = await _send_ten_thousand_to_a_blocked_profile(live, "bulk", people, others=3, per_hour=1)
    began = time.monotonic()

    async def held() -> dict[str, int]:
        queue = (await live.ask("GET", "/packages/bulk/queue")).body
        return {each["profile_id"]: each["held"] for each in queue.get("profiles", ())}

    def moved(seen: dict[str, int]) -> bool:
        return bool(seen) and seen["bulk_p1"] == 0 and sum(seen.values()) >= len(people) - 10

    seen = await eventually(held, 120, moved)
    taken = time.monotonic() - began
    others = [seen[f"bulk_p{number}"] for number in (2, 3, 4)]
    assert max(others) - min(others) <= 0.1 * max(others)
    figures = {"recipients": sum(seen.values()), "seconds": round(taken, 1), "from": "the answer to all at the others"}
    keep("blocked-profile", figures)
    await live.ask_simulator("DELETE", "/faults")
    await live.ask("POST", f"/messages/{message}/cancel")


@pytest.mark.recorded
@pytest.mark.timeout(900)
async def test_ten_thousand_held_by_a_blocked_profile_are_all_sent_by_the_others_within_their_limits(
    fast: RunningSystem, keep: Keep
) -> None:
    people, limits = recipients(12_000, start=6_000_000), {"per_hour": 60, "per_3_hours": 150, "per_day": 500}
    message = await _send_ten_thousand_to_a_blocked_profile(fast, "handed", people, others=20, **limits)

    async def settled() -> dict[str, int]:
        return (await fast.ask("GET", f"/messages/{message}")).body["counts"]

    def done(counts: dict[str, int]) -> bool:
        return counts["sent"] + counts["delivered"] + counts["read"] == len(people)

    await eventually(settled, 800, done)
    lines = [line for line in await fast.ledger() if line["package"] == "handed" and line["ok"]]
    assert Counter(line["recipient"] for line in lines) == Counter(people)
    senders = Counter(line["profile"] for line in lines)
    assert set(senders) == {f"handed_p{number}" for number in range(2, 22)}
    for profile in senders:
        assert_within_limits([line for line in lines if line["profile"] == profile], limits)
    keep("blocked-profile-sent", {"recipients": len(lines), "sent_by": dict(senders), "lost": 0, "twice": 0, **limits})
    await fast.ask_simulator("DELETE", "/faults")
