"""Replies: they are as fast with 20,000 open deliveries waiting as on an idle system."""

import asyncio
import statistics
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from e2e.system import RunningSystem, eventually, recipients

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

REPLIES, REPLIES_RECORDED = 15, 200
WAITING = 20_000
IMPORTED, IDLE_REPLIES = 100_000, 200
Keep = Callable[[str, Mapping[str, Any]], None]


async def _seconds(system: RunningSystem, package: str, start: int, count: int) -> list[float]:
    """Send replies one after the other; returns how long the caller of each waited."""
    taken: list[float] = []
    for customer in recipients(count, start):
        answer = await system.ask(
            "POST", f"/packages/{package}/messages/reply", {"type": "text", "text": "Yes", "recipient": customer}
        )
        assert (answer.status, answer.body["status"]) == (200, "sent"), answer.body
        taken.append(answer.seconds)
    return taken


async def _held(system: RunningSystem, package: str) -> int:
    """The number of held deliveries of the package."""
    queue = (await system.ask("GET", f"/packages/{package}/queue")).body
    return sum(each["held"] for each in queue.get("profiles", ()))


def _figures(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {"median_ms": statistics.median(ordered) * 1e3, "p99_ms": ordered[int(len(ordered) * 0.99)] * 1e3}


async def test_replies_pass_twenty_thousand_waiting(
    live: RunningSystem, request: pytest.FixtureRequest, keep: Keep
) -> None:
    """Asserts that every reply is sent while all the open deliveries wait. The times are recorded, not asserted."""
    replies = REPLIES_RECORDED if request.config.getoption("--record") else REPLIES
    await live.create_package("crowd", 4)
    await _seconds(live, "crowd", 900_000, replies)  # warm
    idle = await _seconds(live, "crowd", 910_000, replies)
    crowd = recipients(WAITING, 1_000_000)
    body = {"type": "text", "text": "Hello", "recipients": crowd}
    answer = await live.ask("POST", "/packages/crowd/messages/open", body, Prefer="respond-async")
    assert answer.status == 202, answer.body
    importing = await _seconds(live, "crowd", 920_000, replies)
    await eventually(lambda: _held(live, "crowd"), 120, lambda seen: seen >= WAITING - 40)
    waiting = await _seconds(live, "crowd", 930_000, replies)
    assert await _held(live, "crowd") >= WAITING - 40
    figures = {"idle": _figures(idle), "while importing": _figures(importing), "20,000 waiting": _figures(waiting)}
    keep("replies-under-load", {"replies": replies, "unit": "ms from POST to answer", **figures})


@pytest.mark.recorded
@pytest.mark.timeout(900)
async def test_replies_while_a_hundred_thousand_are_imported(live: RunningSystem, keep: Keep) -> None:
    """Replies go one after the other, from the request until everything is held."""
    await live.create_package("import", 4)
    await _seconds(live, "import", 950_000, REPLIES)  # warm
    idle = await _seconds(live, "import", 951_000, IDLE_REPLIES)
    body = {"type": "text", "text": "Hello", "recipients": recipients(IMPORTED, 2_000_000)}
    asked = asyncio.ensure_future(live.ask("POST", "/packages/import/messages/open", body, Prefer="respond-async"))
    importing: list[float] = []
    while await _held(live, "import") < IMPORTED - 100:
        importing += await _seconds(live, "import", 955_000 + len(importing), 20)
    assert (await asked).status == 202
    ratio = _figures(importing)["p99_ms"] / _figures(idle)["p99_ms"]
    figures = {
        name: {"replies": len(seconds), **{each: round(value, 1) for each, value in _figures(seconds).items()}}
        for name, seconds in (("idle", idle), ("while importing", importing))
    }
    unit = "ms from POST to answer, one after the other"
    keep("replies-during-import", {"imported": IMPORTED, "unit": unit, **figures, "p99_ratio": round(ratio, 2)})


async def test_a_reply_with_a_conversation_id_goes_on_with_that_conversation(live: RunningSystem) -> None:
    _, second = await live.create_package("threads", 2)
    mine, theirs = recipients(2, 940_000)
    wrote = await live.ask_simulator("POST", f"/customers/{mine}/messages", {"profile": second, "text": "Hi"})
    assert wrote.status < 300, wrote.body

    async def conversation() -> dict[str, str]:
        return (await live.ask("GET", f"/packages/threads/conversations/{mine}")).body

    known = await eventually(conversation, 30, lambda seen: "profile_id" in seen)
    body = {"type": "text", "text": "Yes", "recipient": mine, "conversation_id": known["conversation_id"]}
    answer = await live.ask("POST", "/packages/threads/messages/reply", body)
    assert (answer.status, answer.body["profile_used"]) == (200, second), answer.body
    assert answer.body["conversation_id"] == known["conversation_id"]
    mixed_up = await live.ask("POST", "/packages/threads/messages/reply", {**body, "recipient": theirs})
    assert (mixed_up.status, mixed_up.body["errors"][0]["pointer"]) == (422, "/conversation_id"), mixed_up.body
    assert {line["recipient"] for line in await live.ledger() if line["recipient"] in (mine, theirs)} == {mine}
