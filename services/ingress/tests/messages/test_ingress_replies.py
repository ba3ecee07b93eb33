"""Replies over HTTP: the response reports the outcome."""

from typing import Any

from ingress.testing import System
from spreader.contract.content import TextContent
from spreader.contract.events import ReplyMessageRequested, Status
from spreader.contract.ids import conversation_id

REPLY = "/packages/pkg/messages/reply"
PLAN: dict[str, Any] = {
    "type": "text",
    "text": "Thank you for your order! It will be delivered tomorrow.",
    "recipient": "201000000011",
    "conversation_id": "conv_xyz789",
}


async def test_a_reply_gets_its_response(system: System) -> None:
    await system.package("profile_2")
    system.bus.settles = "sent"
    answer = await system.http.post(REPLY, json=PLAN)
    (event,) = system.bus.of(ReplyMessageRequested)
    assert answer.status_code == 200
    assert answer.json() == {
        "message_id": event.message_id,
        "status": "sent",
        "sent_at": "2026-06-01T12:00:00Z",
        "profile_used": "profile_2",
        "conversation_id": conversation_id("pkg", "201000000011"),
        "note": "Reply messages bypass all limits",
    }
    assert event.content == TextContent(type="text", text=PLAN["text"])
    assert (event.recipient, event.conversation_id, event.callback_partition) == ("201000000011", "conv_xyz789", 7)


async def test_the_next_reply_accepts_the_returned_conversation_id(system: System) -> None:
    await system.package("a")
    system.bus.settles = "sent"
    first = (await system.http.post(REPLY, json=PLAN)).json()
    again = await system.http.post(REPLY, json={**PLAN, "conversation_id": first["conversation_id"]})
    assert (again.status_code, again.json()["conversation_id"]) == (200, first["conversation_id"])
    assert [each.continues_conversation for each in system.bus.of(ReplyMessageRequested)] == [False, True]


async def test_a_reply_without_an_outcome_in_time_is_queued(system: System) -> None:
    await system.package("a")
    for headers in ({}, {"Prefer": "respond-async"}):
        answer = await system.http.post(REPLY, json=PLAN, headers=headers)
        assert (answer.status_code, answer.json()["status"]) == (202, "queued")


async def test_an_unsent_reply_is_a_problem_with_the_reason_and_so_is_its_repeat(system: System) -> None:
    await system.package("a")
    system.bus.settles = "failed"
    key = {"Idempotency-Key": "k"}
    first, again = [await system.http.post(REPLY, json=PLAN, headers=key) for _ in range(2)]
    problem = first.json()
    assert (first.status_code, problem["code"], problem["message_status"]) == (502, "gateway", "failed")
    assert "the gateway is away" in problem["detail"]
    assert (again.status_code, again.json(), again.headers["content-type"]) == (
        502,
        {**problem, "instance": again.json()["instance"]},  # each request has its own
        "application/problem+json",
    )
    assert again.json()["instance"] != problem["instance"]
    assert [each.message_id for each in system.bus.of(ReplyMessageRequested)] == [problem["message_id"]]


async def test_each_outcome_of_a_reply_has_its_status_code(system: System) -> None:
    await system.package("a")
    seen = dict[Status, int]()
    ends: tuple[Status, ...] = ("sent", "delivered", "failed", "rejected", "expired", "unknown")
    for system.bus.settles in ends:
        answer = await system.http.post(REPLY, json=PLAN)
        seen[system.bus.settles] = answer.status_code
    assert seen == {"sent": 200, "delivered": 200, "failed": 502, "rejected": 409, "expired": 409, "unknown": 502}


BAD: list[tuple[dict[str, Any], str]] = [
    ({"recipient": "+201000000011"}, "/recipient"),
    ({"recipient": "1" * 16}, "/recipient"),
    ({"recipient": ["201000000011"]}, "/recipient"),
    ({"recipients": ["201000000011"]}, "/recipients"),
    ({"text": ""}, "/text"),
    ({"text": "a" * 4_097}, "/text"),
    ({"type": "image"}, "/media"),
    ({"type": "pigeon"}, "/type"),
    ({"conversation_id": "c" * 129}, "/conversation_id"),
    ({"conversation_id": conversation_id("pkg", "201000000012")}, "/conversation_id"),
    ({"conversation_id": conversation_id("another", "201000000011")}, "/conversation_id"),
    ({"options": {}}, "/options"),
]


async def test_invalid_fields_are_refused_by_pointer_and_nothing_is_published(system: System) -> None:
    await system.package("a")
    for wrong, pointer in BAD:
        answer = await system.http.post(REPLY, json={**PLAN, **wrong})
        assert (str(wrong)[:60], answer.status_code) == (str(wrong)[:60], 422)
        assert pointer in [each["pointer"] for each in answer.json()["errors"]]
    assert (await system.http.post("/packages/no/messages/reply", json=PLAN)).status_code == 404
    assert system.bus.published == []


async def test_without_kafka_the_response_is_a_503_with_retry_after(system: System) -> None:
    await system.package("a")
    system.bus.away = True
    answer = await system.http.post(REPLY, json=PLAN)
    assert (answer.status_code, int(answer.headers["retry-after"]) > 0) == (503, True)
