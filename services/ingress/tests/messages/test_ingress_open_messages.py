"""Open messages over HTTP: the response, the published records, and every refusal."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from sqlalchemy import text

from ingress.testing import System
from spreader.contract.content import TextContent
from spreader.contract.events import Counts, Event, OpenMessageRequested, ProfileState, Windows
from spreader.kafka.envelope import decode

OPEN = "/packages/pkg/messages/open"
PLAN: dict[str, Any] = {
    "type": "text",
    "text": "Hello! Check out our new offers...",
    "recipients": ["201000000011", "201000000012", "201000000013"],
    "distribution": "round_robin",
    "options": {"schedule_at": "2024-02-10T10:00:00Z", "waiting_strategy": "drip", "drip_interval_minutes": 5},
}
ASYNC = {"Prefer": "respond-async"}


def people(count: int) -> list[str]:
    return [f"2010{number:08d}" for number in range(count)]


async def rows_of(system: System, table: str) -> int:
    async with system.engine.connect() as connection:
        return (await connection.execute(text(f"SELECT count(*) FROM ingress.{table}"))).scalar_one()


async def test_an_open_message_gets_its_response(system: System) -> None:
    await system.package("profile_1", "profile_2", "profile_3", profile_limits={"per_hour": 50, "per_day": 500})
    windows = Windows(hour=Counts(sent=60, sent_open=45), day=Counts(sent=400, sent_open=320))
    state = ProfileState(profile_id="profile_1", package_id="pkg", windows=windows, at=system.clock())
    system.states.set("profile_1", state)
    system.bus.profiles = ("profile_1", "profile_2", "profile_3")
    answer = await system.http.post(OPEN, json=PLAN)
    assert answer.status_code == 202
    body = answer.json()
    assert body["message_id"].startswith("msg_")
    assert system.bus.of(OpenMessageRequested)[0].callback_partition == 7
    assert (body["status"], body["recipients"], body["duplicates_removed"]) == ("queued", 3, 0)
    assert body["distribution"] == {"profile_1": 1, "profile_2": 1, "profile_3": 1}
    assert body["waiting_for_profile"] == 0
    assert body["limits_status"] == {
        "profile_1": {"hourly": "45/50", "daily": "320/500"},
        "profile_2": {"hourly": "0/50", "daily": "0/500"},
        "profile_3": {"hourly": "0/50", "daily": "0/500"},
    }
    assert body["estimated_completion"] is None
    assert "pacer" in body["estimated_completion_note"]
    ((path, asked),) = system.pacer.queries
    assert (path, asked["message_id"]) == ("/forecast", body["message_id"])


async def test_a_small_message_is_one_record_and_no_database_row(system: System) -> None:
    await system.package("a")
    async with asyncio.timeout(10):
        while await rows_of(system, "outbox"):  # the package's own: published, and about to be dropped
            await asyncio.sleep(0.01)
    outbox_before = len(system.log.envelopes)
    answer = await system.http.post(OPEN, json=PLAN, headers=ASYNC)
    (event,) = system.bus.of(OpenMessageRequested)
    assert event.message_id == answer.json()["message_id"]
    assert event.content == TextContent(type="text", text=PLAN["text"])
    assert event.recipients == tuple(PLAN["recipients"])
    assert (event.total, event.distribution, event.requested_at) == (None, "round_robin", system.clock())
    assert (event.options.waiting_strategy, event.options.drip_interval_minutes) == ("drip", 5)
    assert event.package_version == system.snapshot().package.version
    assert event.callback_partition is None
    tables = [await rows_of(system, table) for table in ("message", "outbox", "answer")]
    assert (tables, len(system.log.envelopes)) == ([0, 0, 0], outbox_before)


async def test_limits_status_is_read_before_the_message_is_routed(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dies where the states are read when the router has answered: the first may be sent and counted by then."""
    await system.package("a")
    publish = system.bus.publish

    async def publish_and_send(*events: Event) -> None:
        await publish(*events)
        windows = Windows(hour=Counts(sent=1, sent_open=1), day=Counts(sent=1, sent_open=1))
        system.states.set("a", ProfileState(profile_id="a", package_id="pkg", windows=windows, at=system.clock()))

    monkeypatch.setattr(system.bus, "publish", publish_and_send)
    body = (await system.http.post(OPEN, json=PLAN)).json()
    assert body["limits_status"] == {"a": {"hourly": "0/20", "daily": "0/120"}}


async def test_without_the_routers_callback_the_distribution_is_unknown(system: System) -> None:
    await system.package("a", "b")
    for headers in ({}, ASYNC):
        body = (await system.http.post(OPEN, json=PLAN, headers=headers)).json()
        assert (body["status"], body["distribution"], body["estimated_completion"]) == ("queued", None, None)
        assert body["distribution_note"]
        assert list(body["limits_status"]) == ["a", "b"]


async def test_repeated_recipients_are_removed_and_counted(system: System) -> None:
    await system.package("a")
    body = {**PLAN, "recipients": ["201000000011", "201000000012", "201000000011", "201000000011"]}
    answer = (await system.http.post(OPEN, json=body, headers=ASYNC)).json()
    assert (answer["recipients"], answer["duplicates_removed"]) == (2, 2)
    assert system.bus.of(OpenMessageRequested)[0].recipients == ("201000000011", "201000000012")


async def test_500_recipients_are_one_record_and_501_go_through_the_outbox(system: System) -> None:
    await system.package("a")
    await system.http.post(OPEN, json={**PLAN, "recipients": people(500)}, headers=ASYNC)
    assert [len(event.recipients) for event in system.bus.of(OpenMessageRequested)] == [500]
    answer = await system.http.post(OPEN, json={**PLAN, "recipients": people(1_201)}, headers=ASYNC)
    assert (answer.status_code, answer.json()["recipients"]) == (202, 1_201)
    await system.relay_outbox()
    sealed = [each for each in system.log.envelopes if each.topic == OpenMessageRequested.topic]
    events = [decode(each.topic, each.headers, each.body) for each in sealed]
    assert [
        (event.first_index, len(event.recipients), event.total)
        for event in events
        if isinstance(event, OpenMessageRequested)
    ] == [(0, 500, 1_201), (500, 500, 1_201), (1_000, 201, 1_201)]
    shown = (await system.http.get(f"/messages/{answer.json()['message_id']}")).json()
    assert (shown["recipients"], shown["counts"]["held"], shown["status"]) == (1_201, 1_201, "queued")


BAD_FIELDS: list[tuple[dict[str, Any], str, str]] = [
    ({"recipients": []}, "/recipients", "too_short"),
    ({"recipients": people(100_001)}, "/recipients", "too_long"),
    ({"recipients": ["201000000011", "+201000000012"]}, "/recipients/1", "phone_number"),
    ({"recipients": ["201xxxxx"]}, "/recipients/0", "phone_number"),
    ({"recipients": ["1" * 16]}, "/recipients/0", "phone_number"),
    ({"recipients": ["1" * 6]}, "/recipients/0", "phone_number"),
    ({"recipients": ["٢٠١٠٠٠٠٠٠٠١١"]}, "/recipients/0", "phone_number"),
    ({"recipients": [201000000011]}, "/recipients/0", "string_type"),
    ({"recipients": "201000000011"}, "/recipients", "tuple_type"),
    ({"recipients": None}, "/recipients", "tuple_type"),
    ({"type": "pigeon"}, "/type", "unknown_type"),
    ({"type": 5}, "/type", "unknown_type"),
    ({"text": ""}, "/text", "string_too_short"),
    ({"text": " \n\t"}, "/text", "blank"),
    ({"text": "a" * 4_097}, "/text", "string_too_long"),
    ({"text": "a\0b"}, "/text", "nul"),
    ({"text": 5}, "/text", "string_type"),
    ({"type": "image", "text": "words"}, "/text", "extra_forbidden"),
    ({"options": {"schedule_at": "2024-02-10T10:00:00"}}, "/options/schedule_at", "timezone_aware"),
    ({"options": {"schedule_at": "tomorrow"}}, "/options/schedule_at", "value_error"),
    ({"options": {"schedule_at": 1707559200}}, "/options/schedule_at", "value_error"),
    ({"options": {"schedule_at": "1707559200"}}, "/options/schedule_at", "value_error"),
    ({"options": {"schedule_at": "0001-01-01T00:00:00+10:00"}}, "/options/schedule_at", "value_error"),
    ({"options": {"waiting_strategy": "hurry"}}, "/options/waiting_strategy", "literal_error"),
    ({"options": {"drip_interval_minutes": "5"}}, "/options/drip_interval_minutes", "float_type"),
    ({"options": {"drip_interval_minutes": True}}, "/options/drip_interval_minutes", "float_type"),
    ({"options": {"drip_interval_minutes": 0}}, "/options/drip_interval_minutes", "greater_than"),
    ({"options": {"hurry": 1}}, "/options/hurry", "extra_forbidden"),
    ({"distribution": "fair"}, "/distribution", "literal_error"),
    ({"colour": "red"}, "/colour", "extra_forbidden"),
    ({"a/b~c": "red"}, "/a~1b~0c", "extra_forbidden"),
]
BAD_MEDIA: list[tuple[dict[str, Any], str]] = [
    ({"type": "image"}, "/media"),
    ({"type": "image", "media": {}}, "/media"),
    ({"type": "image", "media": {"url": "https://a.example/x", "media_id": "m"}}, "/media"),
    ({"type": "video", "media": {"url": "file:///etc/passwd"}}, "/media/url"),
    ({"type": "voice", "media": {"media_id": "m"}, "caption": "no"}, "/caption"),
    ({"type": "image", "media": {"media_id": "m", "colour": "red"}}, "/media/colour"),
    ({"type": "template", "template": {"name": "n", "language": "en", "colour": "red"}}, "/template/colour"),
    (
        {"type": "template", "template": {"name": "n", "language": "en", "components": [{"x": "y" * 70_000}]}},
        "/template",
    ),
]


async def test_invalid_fields_are_refused_by_pointer_and_nothing_is_published(system: System) -> None:
    await system.package("a")
    for wrong, pointer, code in BAD_FIELDS:
        answer = await system.http.post(OPEN, json={**PLAN, **wrong})
        errors = [(each["pointer"], each["code"]) for each in answer.json()["errors"]]
        assert (str(wrong)[:80], answer.status_code) == (str(wrong)[:80], 422)
        assert (pointer, code) in errors
        assert answer.headers["content-type"] == "application/problem+json"
    for content, pointer in BAD_MEDIA:
        answer = await system.http.post(OPEN, json={**content, "recipients": ["201000000011"]})
        found = [each["pointer"] for each in answer.json()["errors"]]
        assert (content["type"], answer.status_code, found) == (content["type"], 422, [pointer])
    assert system.bus.published == []


BAD_BODIES: list[tuple[bytes, int, str]] = [
    (b"", 400, "malformed"),
    (b"{", 400, "malformed"),
    (b'{"type": "text", "text": "\xff"}', 400, "malformed"),
    (b'{"type": "text", "text": NaN', 400, "malformed"),
    (b"[" * 10_000, 400, "malformed"),
    (b"[]", 422, "invalid"),
    (b"null", 422, "invalid"),
    (b"{}", 422, "invalid"),
    (b" " * 2_000_001, 413, "too-large"),
]


async def test_malformed_bodies_are_refused(system: System) -> None:
    await system.package("a")
    for body, status, code in BAD_BODIES:
        answer = await system.http.post(OPEN, content=body)
        assert (body[:30], answer.status_code, answer.json()["code"]) == (body[:30], status, code)

    async def in_pieces() -> AsyncGenerator[bytes]:
        for _ in range(3):
            yield b" " * 1_000_000

    assert (await system.http.post(OPEN, content=in_pieces())).status_code == 413


async def test_at_most_50_errors_are_listed_and_all_are_counted(system: System) -> None:
    await system.package("a")
    problem = (await system.http.post(OPEN, json={**PLAN, "recipients": ["x"] * 60})).json()
    assert [each["pointer"] for each in problem["errors"]] == [f"/recipients/{place}" for place in range(50)]
    assert "more" in problem["detail"]


async def test_malformed_json_comes_before_an_unknown_package_and_that_before_fields(system: System) -> None:
    unknown = "/packages/nowhere/messages/open"
    answers = [
        await system.http.post(unknown, content=b"{", headers={"Authorization": "Bearer wrong"}),
        await system.http.post(unknown, content=b" " * 2_000_001),
        await system.http.post(unknown, content=b"{"),
        await system.http.post(unknown, json={**PLAN, "text": ""}),
    ]
    assert [answer.status_code for answer in answers] == [401, 413, 400, 404]


async def test_a_package_without_profiles_is_a_409_that_says_why(system: System) -> None:
    await system.package()
    answer = await system.http.post(OPEN, json=PLAN)
    assert (answer.status_code, answer.json()["code"]) == (409, "no-profile")
    assert "has no profile" in answer.json()["detail"]


async def test_a_package_that_cannot_send_now_accepts_and_says_how_many_wait(system: System) -> None:
    await system.package("a")
    system.bus.profiles = ("a",)
    system.bus.waiting_reason = "no profile of package pkg can send now (a: paused by an operator)"
    answers = []
    for paused in ("/packages/pkg/profiles/a", "/packages/pkg"):
        await system.http.post(f"{paused}/pause")
        answers.append(await system.http.post(OPEN, json=PLAN))
        await system.http.post(f"{paused}/resume")
    for answer in answers:
        assert answer.status_code == 202
        body = answer.json()
        recipients = len(set(PLAN["recipients"]))
        assert (body["distribution"], body["waiting_for_profile"]) == ({}, recipients)
        note = f"{recipients} wait for a profile: {system.bus.waiting_reason}"
        assert (body["estimated_completion"], body["estimated_completion_note"]) == (None, note)
        assert "rejected" not in body


async def test_a_reply_cannot_wait_for_a_profile(system: System) -> None:
    await system.package("a")
    await system.http.post("/packages/pkg/profiles/a/pause")
    reply = {"type": "text", "text": "Hello", "recipient": "201000000011"}
    answer = await system.http.post("/packages/pkg/messages/reply", json=reply)
    assert (answer.status_code, answer.json()["code"]) == (409, "no-profile")
    assert "paused" in answer.json()["detail"]


async def test_without_kafka_the_response_is_a_503_with_retry_after(system: System) -> None:
    await system.package("a")
    system.bus.away = True
    answer = await system.http.post(OPEN, json=PLAN)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0


async def test_a_repeat_with_the_same_key_gets_the_same_response(system: System) -> None:
    await system.package("a")
    system.bus.profiles = ("a",)
    first = await system.http.post(OPEN, json=PLAN, headers={"Idempotency-Key": "order-1"})
    again = await system.http.post(OPEN, json=PLAN, headers={"Idempotency-Key": '"order-1"'})
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert (first.headers.get("idempotency-replayed"), again.headers["idempotency-replayed"]) == (None, "true")
    assert [each.message_id for each in system.bus.of(OpenMessageRequested)] == [first.json()["message_id"]]


async def test_a_key_cannot_be_used_for_two_bodies(system: System) -> None:
    await system.package("a")
    key = {"Idempotency-Key": "k", **ASYNC}
    await system.http.post(OPEN, json=PLAN, headers=key)
    other = await system.http.post(OPEN, json={**PLAN, "text": "Other words"}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "key-reused")
    for wrong in ("", '""', "x" * 256, "a\tb"):
        answer = await system.http.post(OPEN, json=PLAN, headers={"Idempotency-Key": wrong})
        assert (wrong, answer.status_code) == (wrong, 400)


async def test_a_failure_is_not_stored_so_the_same_key_may_try_again(system: System) -> None:
    await system.package("a")
    key = {"Idempotency-Key": "k", **ASYNC}
    assert (await system.http.post(OPEN, json={**PLAN, "text": ""}, headers=key)).status_code == 422
    system.bus.away = True
    assert (await system.http.post(OPEN, json=PLAN, headers=key)).status_code == 503
    system.bus.away = False
    answer = await system.http.post(OPEN, json=PLAN, headers=key)
    assert (answer.status_code, "idempotency-replayed" in answer.headers) == (202, False)


async def test_while_the_first_request_is_in_progress_the_second_is_a_409(system: System) -> None:
    await system.package("a")
    await system.http.post(OPEN, json=PLAN, headers={"Idempotency-Key": "k", **ASYNC})
    unfinish = text("UPDATE ingress.answer SET status = NULL, body = NULL")
    async with system.engine.begin() as connection:
        await connection.execute(unfinish)
    answer = await system.http.post(OPEN, json=PLAN, headers={"Idempotency-Key": "k", **ASYNC})
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (409, "in-progress", "1")
    async with system.engine.begin() as connection:
        await connection.execute(text("UPDATE ingress.answer SET taken_at = taken_at - interval '61 seconds'"))
    taken_over = await system.http.post(OPEN, json=PLAN, headers={"Idempotency-Key": "k", **ASYNC})
    assert taken_over.status_code == 202


@pytest.mark.parametrize(
    ("options", "pointer"),
    [
        ({"schedule_at": "2026-02-10T10:00:00Z", "schedule_local": "2026-02-10T10:00:00"}, "/options"),
        ({"schedule_at": "2026-08-02T10:00:00Z", "expires_at": "2026-08-02T10:00:00Z"}, "/options"),
        ({"schedule_local": "2026-08-02T10:00:00", "expires_at": "2026-08-01T20:00:00Z"}, "/options"),
        ({"drip_until": "2026-02-10T10:00:00Z"}, "/options"),
        (
            {"waiting_strategy": "drip", "drip_until": "2026-02-10T10:00:00Z", "drip_interval_minutes": 5},
            "/options",
        ),
        ({"schedule_local": "2026-02-10T10:00:00Z"}, "/options/schedule_local"),
    ],
)
async def test_contradicting_options_are_refused(system: System, options: dict[str, Any], pointer: str) -> None:
    await system.package("a")
    answer = await system.http.post(OPEN, json={**PLAN, "options": options})
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer
