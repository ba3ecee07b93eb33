"""What was sent: the content, the name and the sender of a message are kept, and lists can be filtered by them."""

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from ingress.core import delivery_updates
from ingress.status.accepted import accepted_reply
from ingress.status.handlers import StatusHandlers
from ingress.testing import System
from spreader.clock import wall_now
from spreader.contract.content import TextContent
from spreader.contract.events import (
    AssignedDelivery,
    DeliveryOutcome,
    OpenDeliveriesAssigned,
    OpenMessageRequested,
    OpenOptions,
    RecipientErased,
    ReplyMessageRequested,
    Status,
)
from spreader.contract.ids import delivery_id
from spreader.kafka.envelope import decode
from spreader.kafka.guarded_consumer import Received

ANNA, BEN, CAROL = "201000000011", "201000000012", "201000000013"
SALE = {"type": "text", "text": "Winter sale, 30% off", "name": "Winter sale", "tags": ["sale", "vip"]}


async def send(system: System, body: dict[str, Any], operator: str | None = None) -> dict[str, Any]:
    """Sends an open message, and folds its request as the consumer does. Returns the message as callers see it."""
    system.clock.forward(timedelta(minutes=1))
    headers = {} if operator is None else {"Spreader-Operator": quote(operator)}
    answer = await system.http.post("/packages/pkg/messages/open", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    requests = system.bus.of(OpenMessageRequested)
    message_id = answer.json()["message_id"]
    handlers = StatusHandlers(system.projection, system.receipts)
    await handlers.on_open_requested([Received(each, "t", 0, 0) for each in requests if each.message_id == message_id])
    return (await system.http.get(f"/messages/{message_id}")).json()


async def end(system: System, message_id: str, statuses: dict[str, Status], **more: Any) -> None:
    """Assigns the deliveries of a message to a profile, and gives them these statuses."""
    now = wall_now()
    assigned = OpenDeliveriesAssigned(
        package_id="pkg",
        message_id=message_id,
        content=TextContent(type="text", text="-"),
        options=OpenOptions(),
        requested_at=now,
        strategy="round_robin",
        deliveries=tuple(
            AssignedDelivery(delivery_id=delivery_id(message_id, each), recipient=each, profile_id="a", index=place)
            for place, each in enumerate(statuses)
        ),
    )
    await system.projection.fold_deliveries(delivery_updates.from_open_assigned(assigned))
    for recipient, status in statuses.items():
        outcome = DeliveryOutcome(
            package_id="pkg",
            message_id=message_id,
            delivery_id=delivery_id(message_id, recipient),
            recipient=recipient,
            lane="open",
            status=status,
            at=now + timedelta(seconds=1),
            profile_id="a",
            **(more if status == "failed" else {}),
        )
        await system.projection.fold_deliveries(delivery_updates.from_outcome(outcome))


async def listed(system: System, path: str, query: str, member: str) -> list[str]:
    answer = await system.http.get(f"{path}?{query}")
    assert answer.status_code == 200, answer.text
    return [each[member] for each in answer.json()["data"]]


async def test_a_message_shows_what_was_sent_and_who_sent_it(system: System) -> None:
    await system.package("a")
    message = await send(system, {**SALE, "recipients": [ANNA]}, "Mona Öps")
    assert (message["name"], message["tags"]) == ("Winter sale", ["sale", "vip"])
    assert message["content"] == {"type": "text", "text": "Winter sale, 30% off"}
    assert message["sent_by"] == {"key_id": "environment", "operator": "Mona Öps"}
    assert (await send(system, {"type": "text", "text": "-", "recipients": [ANNA]}))["sent_by"]["operator"] is None


async def test_a_message_with_several_records_shows_what_was_sent(system: System) -> None:
    await system.package("a")
    people = [f"2010{number:08}" for number in range(501)]
    answer = await system.http.post("/packages/pkg/messages/open", json={**SALE, "recipients": people})
    message = (await system.http.get(f"/messages/{answer.json()['message_id']}")).json()
    assert (message["content"]["text"], message["name"], message["recipients"]) == (SALE["text"], "Winter sale", 501)


@pytest.mark.parametrize(
    ("field", "value", "pointer"),
    [
        ("name", "", "/name"),
        ("name", " ", "/name"),
        ("name", "x" * 201, "/name"),
        ("tags", ["a,b"], "/tags/0"),
        ("tags", ["x" * 65], "/tags/0"),
        ("tags", ["a", "a"], "/tags"),
        ("tags", [str(number) for number in range(21)], "/tags"),
    ],
)
async def test_a_wrong_label_is_refused(system: System, field: str, value: Any, pointer: str) -> None:
    await system.package("a")
    for lane, people in (("open", {"recipients": [ANNA]}), ("reply", {"recipient": ANNA})):
        body = {"type": "text", "text": "Hello", **people, field: value}
        answer = await system.http.post(f"/packages/pkg/messages/{lane}", json=body)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer), answer.text


async def test_messages_are_filtered_by_name_tag_status_and_time(system: System) -> None:
    await system.package("a")
    sale = await send(system, {**SALE, "recipients": [ANNA]})
    news = await send(system, {"type": "text", "text": "News", "name": "NEWS 50%", "recipients": [ANNA, BEN]})
    plain = await send(system, {"type": "text", "text": "Plain", "tags": ["vip"], "recipients": [ANNA, BEN]})
    await end(system, sale["message_id"], {ANNA: "sent"})
    await end(system, news["message_id"], {ANNA: "sent"})
    await end(system, plain["message_id"], {ANNA: "cancelled", BEN: "cancelled"})
    names = {each["message_id"]: name for each, name in ((sale, "sale"), (news, "news"), (plain, "plain"))}

    async def found(query: str) -> list[str]:
        return [names[each] for each in await listed(system, "/packages/pkg/messages", query, "message_id")]

    assert await found("name=SALE") == ["sale"]
    assert await found("name=50%25") == ["news"]  # a per cent sign is an ordinary character
    assert await found("tag=vip") == ["plain", "sale"]
    assert await found("tag=vi") == []
    assert [await found(f"status={each}") for each in ("completed", "in_progress", "cancelled", "queued")] == [
        ["sale"], ["news"], ["plain"], [],
    ]  # fmt: skip
    assert await found("status=completed,cancelled&lane=open&limit=1") == ["plain"]
    at = quote(news["accepted_at"])
    assert (await found(f"from={at}"), await found(f"to={at}")) == (["plain", "news"], ["sale"])
    wrong = await system.http.get("/packages/pkg/messages?status=finished")
    assert wrong.status_code == 422
    assert "status" in wrong.text


async def test_pages_of_a_status_neither_skip_nor_repeat(system: System) -> None:
    await system.package("a")
    ended = list[str]()
    for number in range(7):
        message = await send(system, {"type": "text", "text": "-", "recipients": [ANNA]})
        if number % 2:
            await end(system, message["message_id"], {ANNA: "sent"})
            ended.append(message["message_id"])
    first = await system.http.get("/packages/pkg/messages?status=completed&limit=2")
    second = await system.http.get(f"http://test{first.links['next']['url']}")
    seen = [each["message_id"] for page in (first, second) for each in page.json()["data"]]
    assert seen == ended[::-1]


async def test_deliveries_are_found_by_recipient_status_failure_and_time(system: System) -> None:
    await system.package("a")
    first = (await send(system, {**SALE, "recipients": [ANNA, BEN]}))["message_id"]
    second = (await send(system, {**SALE, "recipients": [ANNA, CAROL]}))["message_id"]
    await end(system, first, {ANNA: "read", BEN: "failed"}, failure="recipient", reason="no WhatsApp")
    await end(system, second, {ANNA: "delivered", CAROL: "failed"}, failure="content", reason="too long")

    async def found(query: str) -> set[str]:
        return {*await listed(system, "/deliveries", query, "delivery_id")}

    first_anna, second_anna = delivery_id(first, ANNA), delivery_id(second, ANNA)
    assert await found(f"recipient={ANNA}") == {first_anna, second_anna}
    assert await listed(system, "/deliveries", f"recipient={ANNA}", "delivery_id") == [second_anna, first_anna]
    assert await found(f"recipient={ANNA}&status=read") == {first_anna}
    assert await found("status=failed") == {delivery_id(first, BEN), delivery_id(second, CAROL)}
    assert await found("status=failed&failure=content,template") == {delivery_id(second, CAROL)}
    assert await found(f"message_id={first},{second}&package_id=pkg&profile_id=a") >= {first_anna, second_anna}
    assert await found("package_id=other") == set()
    by_id = {each["delivery_id"]: each for each in (await system.http.get("/deliveries")).json()["data"]}
    assert by_id[first_anna]["read_at"] is not None
    assert by_id[second_anna]["delivered_at"] is not None
    assert by_id[second_anna]["read_at"] is None
    at = quote(by_id[second_anna]["accepted_at"])
    assert (await found(f"recipient={ANNA}&from={at}"), await found(f"recipient={ANNA}&to={at}")) == (
        {second_anna}, {first_anna},
    )  # fmt: skip
    pages, url = list[str](), "http://test/api/v1/deliveries?limit=1"
    while url:
        page = await system.http.get(url)
        pages += [each["delivery_id"] for each in page.json()["data"]]
        url = f"http://test{page.links['next']['url']}" if "next" in page.links else ""
    assert len(pages) == len(set(pages)) == 4


@pytest.mark.parametrize("query", ["status=lost", "recipient=12", "failure=x", "package_id=a%20b", "from=yesterday"])
async def test_a_wrong_filter_is_named(system: System, query: str) -> None:
    answer = await system.http.get(f"/deliveries?{query}")
    assert answer.status_code == 422
    assert query.partition("=")[0] in answer.text


async def test_failed_deliveries_are_sent_again_once(system: System) -> None:
    await system.package("a")
    message = await send(system, {**SALE, "recipients": [ANNA, BEN, CAROL]})
    await end(system, message["message_id"], {ANNA: "sent", BEN: "failed", CAROL: "expired"}, failure="gateway")
    path = f"/messages/{message['message_id']}/resend-failed"
    headers = {"Idempotency-Key": "again"}
    answer = await system.http.post(path, headers=headers)
    assert (answer.status_code, answer.json()["recipients"]) == (202, 1), answer.text
    assert (await system.http.post(path, headers=headers)).json() == answer.json()
    again = (await system.http.get(f"/messages/{answer.json()['message_id']}")).json()
    assert (again["resend_of"], again["content"], again["name"]) == (
        message["message_id"], message["content"], "Winter sale",
    )  # fmt: skip
    refused = await system.http.post(path)
    assert (refused.status_code, refused.json()["code"]) == (409, "not-resendable")
    expired = await system.http.post(path, json={"statuses": ["failed", "expired"]})
    assert (expired.status_code, expired.json()["recipients"]) == (202, 1)
    (row,) = (await system.http.get(f"/deliveries?recipient={BEN}&status=failed")).json()["data"]
    assert row["resent_as"] == again["message_id"]
    await system.relay_outbox()
    topic = OpenMessageRequested.topic
    resent = [decode(topic, each.headers, each.body or b"") for each in system.log.envelopes if each.topic == topic]
    assert [each.recipients for each in resent if isinstance(each, OpenMessageRequested)] == [(BEN,), (CAROL,)]


@pytest.mark.parametrize("statuses", [["unknown"], ["sent"], [], ["failed", "cancelled"]])
async def test_only_what_surely_failed_is_sent_again(system: System, statuses: list[str]) -> None:
    await system.package("a")
    message = await send(system, {**SALE, "recipients": [ANNA]})
    answer = await system.http.post(f"/messages/{message['message_id']}/resend-failed", json={"statuses": statuses})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].startswith("/statuses")


async def test_words_to_an_erased_person_are_not_stored(system: System) -> None:
    request = ReplyMessageRequested(
        package_id="pkg", message_id="msg_1", content=TextContent(type="text", text="Dear Anna"), recipient=ANNA,
        requested_at=wall_now(), name="Anna's order",
    )  # fmt: skip
    erasure = RecipientErased(erasure_id="ers_1", recipient=ANNA, at=wall_now() + timedelta(hours=1))
    async with system.engine.begin() as connection:
        await system.projection.erasures.note(connection, [erasure], wall_now())
    await system.projection.fold_messages([accepted_reply(request)])
    message = (await system.http.get("/messages/msg_1")).json()
    assert (message["content"], message["name"]) == (None, None)
