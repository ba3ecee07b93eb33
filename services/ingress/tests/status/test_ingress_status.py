"""Status: messages and deliveries over HTTP, from events in any order, once or twice."""

import asyncio
import itertools
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, text

from ingress.core import delivery_updates
from ingress.core.delivery_updates import DeliveryUpdate, fold
from ingress.core.status import STATUSES, message_status, progress, status_counts
from ingress.status.handlers import StatusHandlers
from ingress.testing import System
from spreader.contract.content import TextContent
from spreader.contract.events import (
    AssignedDelivery,
    DeliveryOutcome,
    DeliveryReleased,
    MessageCancelled,
    OpenDeliveriesAssigned,
    OpenDeliveriesWaiting,
    OpenMessageRequested,
    OpenOptions,
    ReplyMessageRequested,
    Status,
    WaitingDelivery,
)
from spreader.contract.ids import delivery_id, new_id
from spreader.kafka.guarded_consumer import Received

WORDS = TextContent(type="text", text="Hello")
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
PEOPLE = ("201000000011", "201000000012", "201000000013")


def requested(now: datetime) -> OpenMessageRequested:
    return OpenMessageRequested(
        package_id="pkg", message_id="msg_1", content=WORDS, recipients=PEOPLE, requested_at=now
    )


def assigned(now: datetime, attempt: int = 1, profile_id: str = "a") -> OpenDeliveriesAssigned:
    return OpenDeliveriesAssigned(
        package_id="pkg",
        message_id="msg_1",
        content=WORDS,
        options=OpenOptions(),
        requested_at=now,
        strategy="round_robin",
        deliveries=tuple(
            AssignedDelivery(
                delivery_id=delivery_id("msg_1", each),
                recipient=each,
                profile_id=profile_id,
                index=place,
                attempt=attempt,
            )
            for place, each in enumerate(PEOPLE)
        ),
    )


def released(now: datetime, release: int) -> DeliveryReleased:
    return DeliveryReleased(
        package_id="pkg",
        message_id="msg_1",
        delivery_id=delivery_id("msg_1", PEOPLE[0]),
        recipient=PEOPLE[0],
        profile_id="a",
        content=WORDS,
        attempt=1,
        release=release,
        released_at=now,
        send_by=now,
        requested_at=now,
    )


def outcome(now: datetime, status: Status, release: int | None = None, **more: Any) -> DeliveryOutcome:
    return DeliveryOutcome(
        package_id="pkg",
        message_id="msg_1",
        delivery_id=delivery_id("msg_1", PEOPLE[0]),
        recipient=PEOPLE[0],
        lane="open",
        status=status,
        at=now,
        release=release,
        **more,
    )


def a_life(now: datetime) -> list[DeliveryUpdate]:
    """The updates of one delivery that was deferred once, sent, and read."""
    later = now + timedelta(minutes=1)
    return [
        delivery_updates.from_open_assigned(assigned(now))[0],
        *delivery_updates.from_released(released(now, 1)),
        *delivery_updates.from_outcome(outcome(now, "deferred", 1)),
        *delivery_updates.from_released(released(now, 2)),
        *delivery_updates.from_outcome(outcome(later, "sent", 2, profile_id="a", gateway_message_id="g1")),
        *delivery_updates.from_outcome(outcome(later + timedelta(minutes=1), "delivered")),
        *delivery_updates.from_outcome(outcome(later + timedelta(minutes=2), "read")),
    ]


def test_updates_in_any_order_fold_to_the_same() -> None:
    life = a_life(NOON)
    (whole,) = fold(life)
    assert (whole.status, whole.index, whole.sent_at, whole.gateway_message_id, whole.profile_id) == (
        "read", 0, NOON + timedelta(minutes=1), "g1", "a",
    )  # fmt: skip
    assert (whole.delivered_at, whole.read_at) == (NOON + timedelta(minutes=2), NOON + timedelta(minutes=3))
    for order in itertools.islice(itertools.permutations(life), 0, None, 17):
        assert fold([*order, *order[:3]]) == [whole]


def test_a_delivery_has_the_status_of_its_last_update() -> None:
    steps = [fold(a_life(NOON)[:count])[0].status for count in range(1, 8)]
    assert steps == ["held", "released", "held", "released", "sent", "delivered", "read"]


TRUTHS: list[tuple[Status, Status]] = [
    ("held", "released"), ("released", "unknown"), ("unknown", "sent"), ("unknown", "failed"), ("cancelled", "sent"),
    ("expired", "sent"), ("sent", "failed"), ("sent", "delivered"), ("failed", "delivered"), ("failed", "read"),
    ("delivered", "read"), ("held", "rejected"), ("held", "suppressed"),
]  # fmt: skip


def test_the_second_status_of_each_pair_wins() -> None:
    assert [pair for pair in TRUTHS if not progress(pair[0], 1, 1) < progress(pair[1], 1, 1)] == []


def test_another_attempt_starts_again_but_never_after_a_final_status() -> None:
    assert progress("deferred", 1, 9) < progress("held", 2, None) < progress("released", 2, 1)
    assert progress("held", 3, None) < progress("failed", 1, 1)


@given(st.dictionaries(st.sampled_from(STATUSES), st.integers(1, 5)), st.integers(0, 9))
def test_counts_add_up_to_the_recipients(rows: dict[str, int], unassigned: int) -> None:
    recipients = sum(rows.values()) + unassigned
    counted = status_counts(rows, recipients)
    assert list(counted) == list(STATUSES)
    assert sum(counted.values()) == recipients
    waiting = counted["held"] + counted["released"]
    assert (message_status(counted) in ("completed", "cancelled")) == (waiting == 0 and recipients > 0)


async def test_a_message_shows_the_statuses_of_its_deliveries(system: System) -> None:
    handlers = StatusHandlers(system.projection, system.receipts)
    unread = await system.http.get("/messages/msg_1")
    assert unread.status_code == 404
    await handlers.on_open_requested([Received(requested(NOON), "t", 0, 0)] * 2)
    message = (await system.http.get("/messages/msg_1")).json()
    assert message == {
        "message_id": "msg_1",
        "package_id": "pkg",
        "lane": "open",
        "type": "text",
        "status": "queued",
        "recipients": 3,
        "counts": {**dict.fromkeys(STATUSES, 0), "held": 3},
        "waiting_for_profile": 0,
        "name": None,
        "tags": [],
        "content": {"type": "text", "text": "Hello"},
        "sent_by": None,
        "resend_of": None,
        "accepted_at": "2026-06-01T12:00:00Z",
        "cancel_requested_at": None,
    }
    await system.projection.fold_deliveries([*delivery_updates.from_open_assigned(assigned(NOON)), *a_life(NOON)[:5]])
    message = (await system.http.get("/messages/msg_1")).json()
    assert (message["status"], message["counts"]["held"], message["counts"]["sent"]) == ("in_progress", 2, 1)


async def test_a_message_says_how_many_deliveries_wait_for_a_profile(system: System) -> None:
    handlers = StatusHandlers(system.projection, system.receipts)
    await handlers.on_open_requested([Received(requested(NOON), "t", 0, 0)])
    event = assigned(NOON)
    waiting = OpenDeliveriesWaiting(
        package_id="pkg", message_id="msg_1", content=event.content, options=event.options, requested_at=NOON,
        strategy="round_robin", reason="no profile can send now",
        deliveries=tuple(
            WaitingDelivery(delivery_id=each.delivery_id, recipient=each.recipient, index=each.index)
            for each in event.deliveries
        ),
    )  # fmt: skip
    await system.projection.fold_deliveries(delivery_updates.from_open_waiting(waiting))
    message = (await system.http.get("/messages/msg_1")).json()
    assert (message["status"], message["counts"]["held"], message["waiting_for_profile"]) == ("queued", 3, 3)
    (row, *_) = await system.projection.deliveries({"message_ids": ["msg_1"]}, 10)
    assert (row.status, row.profile_id, row.reason) == ("held", None, "waiting for a profile")
    await system.projection.fold_deliveries(delivery_updates.from_open_assigned(assigned(NOON, attempt=2)))
    await system.projection.fold_deliveries(delivery_updates.from_open_waiting(waiting))
    message = (await system.http.get("/messages/msg_1")).json()
    assert (message["counts"]["held"], message["waiting_for_profile"]) == (3, 0)


async def test_postgres_folds_as_the_core_does_in_any_order_and_grouping(system: System) -> None:
    (whole,) = fold(a_life(NOON))
    chance = random.Random(7)
    for _ in range(25):
        life = a_life(NOON)
        chance.shuffle(life)
        cut = chance.randrange(8)
        for piece in (life[:cut], life[cut:], life[:2]):
            await system.projection.fold_deliveries(piece)
        row = await system.projection.delivery(whole.delivery_id)
        assert row is not None
        assert (row.status, row.index, row.sent_at, row.gateway_message_id, row.updated_at) == (
            "read", 0, whole.sent_at, "g1", whole.at,
        )  # fmt: skip
        async with system.engine.begin() as connection:
            await connection.execute(text("TRUNCATE ingress.delivery"))


async def test_the_profile_and_the_gateway_message_id_are_of_the_same_attempt(system: System) -> None:
    """An echo reports the first attempt after the gateway refused it. The second attempt is sent by another profile.
    Later receipts name its message."""
    echo = outcome(NOON, "acknowledged", profile_id="a", gateway_message_id="g1", attempt=1)
    sent = outcome(NOON + timedelta(minutes=1), "sent", profile_id="b", gateway_message_id="g2", attempt=2)
    folds = [delivery_updates.from_outcome(each) for each in (echo, sent)]
    (whole,) = fold([update for updates in folds for update in updates])
    for order in (folds, folds[::-1]):
        for updates in order:
            await system.projection.fold_deliveries(updates)
        row = await system.projection.delivery(whole.delivery_id)
        assert row is not None
        assert (row.profile_id, row.gateway_message_id, row.attempt) == ("b", "g2", 2)
        assert (row.profile_id, row.gateway_message_id) == (whole.profile_id, whole.gateway_message_id)
        async with system.engine.begin() as connection:
            await connection.execute(text("TRUNCATE ingress.delivery"))


async def test_concurrent_folds_lose_nothing(system: System) -> None:
    pieces = [[update] for update in a_life(NOON)] + [delivery_updates.from_open_assigned(assigned(NOON))] * 3
    await asyncio.gather(*(system.projection.fold_deliveries(piece) for piece in pieces))
    rows = await system.projection.deliveries({"message_ids": ["msg_1"]}, 10)
    assert sorted(row.status for row in rows) == ["held", "held", "read"]


async def test_deliveries_are_listed_page_by_page_and_shown_one_by_one(system: System) -> None:
    await StatusHandlers(system.projection, system.receipts).on_open_requested([Received(requested(NOON), "t", 0, 0)])
    await system.projection.fold_deliveries(delivery_updates.from_open_assigned(assigned(NOON)))
    first = (await system.http.get("/messages/msg_1/deliveries?limit=2")).json()
    second = (await system.http.get(f"/messages/msg_1/deliveries?limit=2&cursor={first['next_cursor']}")).json()
    rows = first["data"] + second["data"]
    assert (sorted(row["recipient"] for row in rows), second["next_cursor"]) == (sorted(PEOPLE), None)
    one = (await system.http.get(f"/deliveries/{rows[0]['delivery_id']}")).json()
    assert one == rows[0]
    assert (one["status"], one["profile_id"], one["message_id"]) == ("held", "a", "msg_1")
    assert (await system.http.get("/deliveries/no")).status_code == 404


async def test_a_request_waits_for_a_message_that_was_just_accepted(system: System) -> None:
    request = asyncio.create_task(system.http.get("/messages/msg_1"))
    await asyncio.sleep(0)
    await StatusHandlers(system.projection, system.receipts).on_open_requested([Received(requested(NOON), "t", 0, 0)])
    assert (await request).status_code == 200


async def test_an_unknown_message_is_looked_for_a_few_times_and_an_old_one_once(system: System) -> None:
    asked = list[str]()

    def count(_: Any, __: Any, statement: str, *___: Any) -> None:
        if "ingress.message" in statement:
            asked.append(statement)

    event.listen(system.engine.sync_engine, "before_cursor_execute", count)
    for message_id, most in (("chosen", 6), (new_id("msg", NOON), 6), (new_id("msg", NOON - timedelta(days=1)), 1)):
        asked.clear()
        assert (await system.http.get(f"/messages/{message_id}")).status_code == 404
        assert 1 <= len(asked) <= most


async def test_a_finished_message_cannot_be_cancelled(system: System) -> None:
    handlers = StatusHandlers(system.projection, system.receipts)
    await handlers.on_open_requested([Received(requested(NOON), "t", 0, 0)])
    for recipients in (PEOPLE[:1], PEOPLE[1:]):
        sent = outcome(NOON, "sent")
        facts = [
            sent.model_copy(update={"recipient": each, "delivery_id": delivery_id("msg_1", each)})
            for each in recipients
        ]
        await system.projection.fold_deliveries(
            itertools.chain.from_iterable(delivery_updates.from_outcome(fact) for fact in facts)
        )
        answer = await system.http.post("/messages/msg_1/cancel")
        finished = recipients == PEOPLE[1:]
        assert (answer.status_code, answer.json().get("code")) == (
            (409, "not-cancellable") if finished else (202, None)
        )
    assert len(system.bus.of(MessageCancelled)) == 1


async def test_a_cancellation_is_published_and_shown(system: System) -> None:
    handlers = StatusHandlers(system.projection, system.receipts)
    await handlers.on_open_requested([Received(requested(NOON), "t", 0, 0)])
    answer = await system.http.post("/messages/msg_1/cancel")
    assert (answer.status_code, answer.json()["message_id"]) == (202, "msg_1")
    assert system.bus.of(MessageCancelled) == [MessageCancelled(package_id="pkg", message_id="msg_1", at=NOON)]
    assert (await system.http.get("/messages/msg_1")).json()["cancel_requested_at"] == "2026-06-01T12:00:00Z"
    reply = ReplyMessageRequested(
        package_id="pkg", message_id="msg_2", content=WORDS, recipient=PEOPLE[0], requested_at=NOON
    )
    await handlers.on_reply_requested([Received(reply, "t", 0, 0)])
    assert (await system.http.post("/messages/msg_2/cancel")).status_code == 409
    assert (await system.http.post("/messages/no/cancel")).status_code == 404
