"""Receipt matcher: each receipt is matched with its delivery, early or late; an echo resolves a delivery in doubt."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.consent.gateway_opt_outs import GatewayOptOuts
from ingress.core import delivery_updates
from ingress.core.receipts import ProfileReceipt
from ingress.core.reports import Echo, MessageReceipt
from ingress.status.handlers import StatusHandlers
from ingress.status.projection import StatusProjection
from ingress.testing import System, signed
from ingress.webhooks.receipt_matcher import ReceiptMatcher
from spreader.contract.events import ConsentChanged, DeliveryOutcome, Lane, ProfileReported, Status
from spreader.kafka.bus import PublishFailed
from spreader.kafka.client import KafkaBus, create_broker
from spreader.kafka.guarded_consumer import Received
from spreader.settings import Settings
from spreader.testing import MemoryBus, counted_sql
from spreader.text.clean_text import clean_id

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
PERSON = "201000000011"


def outcome(status: Status, name: str = "dlv_1", **more: Any) -> DeliveryOutcome:
    lane: Lane = more.pop("lane", "open")
    return DeliveryOutcome(
        package_id="pkg", message_id="msg_1", delivery_id=name, recipient=PERSON, lane=lane, status=status, at=NOON,
        profile_id="a", **more,
    )  # fmt: skip


async def fold(system: System, *outcomes: DeliveryOutcome) -> None:
    """Does the same as the handler of outcomes."""
    updates = [update for outcome in outcomes for update in delivery_updates.from_outcome(outcome)]
    await system.projection.fold_deliveries(updates)
    await system.receipts.match_deliveries({update.delivery_id for update in updates})


async def fold_published(system: System) -> None:
    await fold(system, *system.bus.of(DeliveryOutcome))


async def waiting(system: System) -> int:
    async with system.engine.connect() as connection:
        return (await connection.execute(text("SELECT count(*) FROM ingress.receipt_waiting"))).scalar_one()


async def age(system: System, seconds: float) -> None:
    """Makes all waiting receipts older by `seconds`."""
    async with system.engine.begin() as connection:
        older = "UPDATE ingress.receipt_waiting SET kept_at = kept_at - CAST(:age AS interval)"
        await connection.execute(text(older), {"age": timedelta(seconds=seconds)})


def ack(status: Any, name: str = "3EB0", at: datetime = NOON) -> ProfileReceipt:
    return ProfileReceipt("pkg", "a", MessageReceipt(clean_id(name), status, at))


def echo(name: str = "3EB0", at: datetime = NOON) -> ProfileReceipt:
    return ProfileReceipt("pkg", "a", Echo(clean_id(name), PERSON, at))


def shown(system: System) -> list[tuple[str, str, str | None]]:
    return [(each.delivery_id, each.status, each.gateway_message_id) for each in system.bus.of(DeliveryOutcome)]


async def test_an_outcome_and_a_receipt_cost_few_statements(engine: AsyncEngine) -> None:
    projection, receipts = StatusProjection(engine), ReceiptMatcher(engine, MemoryBus(NOON))
    await receipts.match_recent()  # connects
    with counted_sql() as of_outcome:
        await projection.fold_deliveries(delivery_updates.from_outcome(outcome("sent", gateway_message_id="3EB0")))
        await receipts.match_deliveries(["dlv_1"])
    with counted_sql() as of_receipt:
        await receipts.take([ack("delivered")])
    with counted_sql() as of_idling:
        await receipts.match_recent()
    assert (len(of_outcome.statements), of_outcome.transactions) == (2, 2)
    assert (len(of_receipt.statements), of_receipt.transactions) == (1, 1)
    assert len(of_idling.statements) == 1


async def test_a_receipt_is_matched_by_the_gateways_message_id(system: System) -> None:
    await fold(system, outcome("sent", gateway_message_id="3EB0", attempt=2))
    await system.receipts.take([ack("acknowledged"), ack("delivered"), ack("read")])
    assert shown(system) == [("dlv_1", status, "3EB0") for status in ("acknowledged", "delivered", "read")]
    assert system.bus.of(DeliveryOutcome)[0].attempt == 2
    await fold_published(system)
    row = await system.projection.delivery("dlv_1")
    assert row is not None
    assert row.status == "read"


async def test_the_outcome_of_a_receipt_says_when_its_message_was_sent(system: System) -> None:
    """So stats does not take a receipt of a delivery that it has forgotten for a new send."""
    await fold(system, outcome("sent", gateway_message_id="3EB0"))
    await system.receipts.take([ack("read", at=NOON + timedelta(days=40)), ack("read", "3EB1")])
    await fold(system, outcome("unknown", "dlv_2", gateway_message_id="3EB1"))
    assert [each.sent_at for each in system.bus.of(DeliveryOutcome)] == [NOON, None]


@pytest.mark.parametrize("by_delivery", [True, False])
async def test_a_receipt_that_comes_too_early_waits_and_is_matched_once(system: System, by_delivery: bool) -> None:
    early = ProfileReceipt("pkg", "a", MessageReceipt("3EB0", "delivered", NOON, "dlv_1" if by_delivery else None))
    await system.receipts.take([early])
    await system.receipts.take([early])
    assert (await waiting(system), shown(system)) == (1, [])
    await fold(system, outcome("sent", gateway_message_id="3EB0"))
    await fold(system, outcome("sent", gateway_message_id="3EB0"))
    assert (await waiting(system), shown(system)) == (0, [("dlv_1", "delivered", "3EB0")])


@pytest.mark.parametrize("plain_first", [True, False])
async def test_of_two_early_reports_of_a_failure_the_one_with_the_code_is_kept(
    system: System, plain_first: bool
) -> None:
    """WAHA reports a failure twice: without a code, and (by its engine) with one. Only the second closes a lane."""
    plain = MessageReceipt("3EB0", "failed", NOON, failure="transient", code="ERROR", reason="WhatsApp refused it")
    why = replace(plain, failure="restricted", code="463", reason="no chats")
    for report in (plain, why) if plain_first else (why, plain):
        await system.receipts.take([ProfileReceipt("pkg", "a", report), ProfileReceipt("pkg", "a", report)])
    assert await waiting(system) == 2
    await fold(system, outcome("sent", gateway_message_id="3EB0"))
    assert [each.code for each in system.bus.of(DeliveryOutcome)] == ["463", "ERROR"]
    assert await waiting(system) == 0


async def test_calls_with_the_same_receipts_in_another_order_do_not_deadlock(system: System) -> None:
    """Without a common order each call would wait for the rows of the other, and one of them would fail."""
    many = [
        ProfileReceipt("pkg", "a", MessageReceipt(clean_id(f"3EB0{number:05}"), "delivered", NOON))
        for number in range(5_000)
    ]
    await asyncio.gather(system.receipts.take(many), system.receipts.take(many[::-1]))
    assert await waiting(system) == len(many)


async def test_a_receipt_that_kafka_did_not_acknowledge_stays_waiting(system: System) -> None:
    await system.receipts.take([ack("delivered")])
    system.bus.away = True
    with pytest.raises(PublishFailed):  # so the handler repeats its batch
        await fold(system, outcome("sent", gateway_message_id="3EB0"))
    assert await waiting(system) == 1
    system.bus.away = False
    await fold(system, outcome("sent", gateway_message_id="3EB0"))
    assert (await waiting(system), shown(system)) == (0, [("dlv_1", "delivered", "3EB0")])


async def test_a_receipt_and_its_delivery_that_arrive_at_the_same_time_are_matched(system: System) -> None:
    """The match after the fold does not see the receipt, as if both commit at once."""
    await system.projection.fold_deliveries(delivery_updates.from_outcome(outcome("sent", gateway_message_id="3EB0")))
    async with system.engine.begin() as connection:
        kept = "INSERT INTO ingress.receipt_waiting (profile_id, gateway_message_id, status, package_id, at)"
        await connection.execute(text(f"{kept} VALUES ('a', '3EB0', 'delivered', 'pkg', now())"))
    await age(system, 3)
    await system.receipts.match_recent()
    assert (await waiting(system), shown(system)) == (0, [("dlv_1", "delivered", "3EB0")])


async def test_waiting_receipts_are_deleted_after_a_day_or_above_the_maximum(
    system: System,
) -> None:
    await system.receipts.take([ack("delivered", f"old{number}") for number in range(3)])
    await age(system, 86_401)
    await system.receipts.take([ack("delivered", "new")])
    await system.receipts.match_all_and_delete_old(10_000)
    assert await waiting(system) == 1
    for number in range(4):
        await system.receipts.take([ack("read", f"more{number}")])
    await replace(system.receipts, kept_max=2).match_all_and_delete_old(10_000)
    async with system.engine.connect() as connection:
        kept = await connection.execute(text("SELECT gateway_message_id FROM ingress.receipt_waiting"))
        assert set(kept.scalars()) == {"more2", "more3"}


async def test_another_profiles_receipt_does_not_change_a_delivery(system: System) -> None:
    await fold(system, outcome("sent", gateway_message_id="3EB0"))
    await system.receipts.take(
        [
            ProfileReceipt("pkg", "b", MessageReceipt("x", "delivered", NOON, "dlv_1")),
            ProfileReceipt("other", "a", MessageReceipt("x", "delivered", NOON, "dlv_1")),
        ]
    )
    await system.receipts.take([ProfileReceipt("pkg", "b", MessageReceipt("y", "delivered", NOON, "dlv_2"))])
    await fold(system, outcome("sent", "dlv_2", gateway_message_id="3EB1"))
    assert (shown(system), await waiting(system)) == ([], 0)


async def test_a_late_failure_is_final_unless_the_message_is_delivered(system: System) -> None:
    await fold(system, outcome("sent", gateway_message_id="3EB0"))
    failed = MessageReceipt("3EB0", "failed", NOON, failure="restricted", code="463", reason="no chats")
    await system.receipts.take([ProfileReceipt("pkg", "a", failed)])
    (published,) = system.bus.of(DeliveryOutcome)
    assert (published.status, published.failure, published.code, published.reason) == (
        "failed",
        "restricted",
        "463",
        "no chats",
    )
    seen: list[str] = []
    for status in ("acknowledged", "delivered", "failed", "read"):
        await system.receipts.take([ack(status)])
        await fold_published(system)
        row = await system.projection.delivery("dlv_1")
        assert row is not None
        seen.append(row.status)
    assert seen == ["failed", "delivered", "delivered", "read"]


async def test_an_echo_resolves_the_only_unknown_delivery(system: System) -> None:
    await system.receipts.take([echo(), ack("delivered")])  # the echo arrives before the sender gives up
    await fold(system, outcome("unknown"))
    await system.receipts.match_recent()
    assert shown(system) == []  # in the first seconds the gateway's response may still arrive
    await age(system, 6)
    await system.receipts.match_recent()
    assert shown(system) == [("dlv_1", "sent", "3EB0")]
    await fold_published(system)
    assert shown(system)[1:] == [("dlv_1", "delivered", "3EB0")]
    assert await waiting(system) == 0


async def test_a_reply_without_a_response_is_resolved_by_its_echo(system: System) -> None:
    await fold(system, outcome("held", lane="reply"))
    await system.receipts.take([echo()])
    await system.receipts.match_recent()
    assert shown(system) == []
    await age(system, 3)  # before the sender retries a reply in doubt
    await system.receipts.match_recent()
    assert shown(system) == [("dlv_1", "sent", "3EB0")]


@pytest.mark.parametrize(
    "others",
    [
        [outcome("unknown", "dlv_2")],
        [outcome("released", "dlv_2", release=1)],
        [outcome("held", "dlv_2", lane="reply")],
    ],
)
async def test_an_echo_that_fits_several_deliveries_is_not_matched(
    system: System, others: list[DeliveryOutcome]
) -> None:
    await fold(system, outcome("unknown"), *others)
    await system.receipts.take([echo()])
    await age(system, 6)
    await system.receipts.match_recent()
    assert (shown(system), await waiting(system)) == ([], 1)


@pytest.mark.parametrize("echoes", [[echo(at=NOON - timedelta(hours=2))], [echo("one"), echo("two")]])
async def test_an_echo_of_another_hour_or_one_of_two_is_not_matched(
    system: System, echoes: list[ProfileReceipt]
) -> None:
    await fold(system, outcome("unknown"))
    await system.receipts.take(echoes)
    await age(system, 6)
    await system.receipts.match_recent()
    assert shown(system) == []


async def test_an_echo_of_a_message_with_a_known_id_changes_nothing(system: System) -> None:
    await system.receipts.take([echo()])
    await fold(system, outcome("sent", gateway_message_id="3EB0"))
    await system.receipts.take([echo()])
    assert (shown(system), await waiting(system)) == ([], 0)


async def test_the_handler_of_outcomes_matches_waiting_receipts(system: System) -> None:
    """A match survives a crash because the handler's batch is not complete before it."""
    bus = KafkaBus(create_broker(Settings(), "test"), "test", system.clock)
    consumers = StatusHandlers(system.projection, system.receipts).consumers(bus)
    (handler,) = (consumer.handle for consumer in consumers if DeliveryOutcome in consumer.accepts)
    await system.receipts.take([ack("delivered")])
    await handler([Received(outcome("sent", gateway_message_id="3EB0"), DeliveryOutcome.topic, 0, 0)])
    assert shown(system) == [("dlv_1", "delivered", "3EB0")]


async def test_a_refusal_because_of_an_opt_out_at_whatsapp_suppresses(system: System) -> None:
    """The sender reports such a refusal if the gateway gives it in its response."""
    await system.package("a")
    bus, opt_outs = KafkaBus(create_broker(Settings(), "test"), "test", system.clock), GatewayOptOuts(system.consents)
    consumers = StatusHandlers(system.projection, system.receipts, opt_outs).consumers(bus)
    (handler,) = (consumer.handle for consumer in consumers if DeliveryOutcome in consumer.accepts)
    failed = [outcome("failed", f"dlv_{failure}", failure=failure) for failure in ("opted_out", "capped")]
    await handler([Received(event, DeliveryOutcome.topic, 0, 0) for event in failed * 2])
    listed = (await system.http.get("/packages/pkg/suppressions")).json()["data"]
    assert [(each["recipient"], each["source"]) for each in listed] == [(failed[0].recipient, "gateway")]


async def call(system: System, driver: str, body: dict[str, Any], profile_id: str = "a") -> None:
    answer = await system.http.post(f"/webhooks/{driver}/pkg/{profile_id}", **signed(driver, profile_id, body))
    assert answer.status_code == 200, answer.text


def change(field: str, value: dict[str, Any], time: int | None = 1_780_000_000) -> dict[str, Any]:
    return {"entry": [{"id": "1", "time": time, "changes": [{"field": field, "value": value}]}]}


async def test_a_report_on_an_account_is_published_for_all_profiles_of_its_holder(
    system: System,
) -> None:
    await system.package()
    for profile_id, like in (("a", "a"), ("b", "a"), ("c", "c")):
        await system.gateway_profile("cloud_api", profile_id, like=like)
    ends = {"restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING", "expiration": 1_780_300_000}
    body = change("account_update", {"event": "ACCOUNT_RESTRICTION", "restriction_info": [ends]})
    await call(system, "cloud_api", body)
    await call(system, "cloud_api", body)
    reports = system.bus.of(ProfileReported)
    assert [each.profile_id for each in reports] == ["a", "b", "a", "b"]
    assert len({each.event_id for each in reports}) == 2
    assert reports[0].restriction is not None
    assert (reports[0].restriction.lanes, reports[0].restriction.failure) == (("open",), "restricted")
    assert reports[0].restriction.until == datetime.fromtimestamp(1_780_300_000, UTC)


async def test_a_customer_who_stops_marketing_in_whatsapp_is_suppressed_until_they_resume(system: System) -> None:
    await system.package()
    await system.gateway_profile("cloud_api", "a")

    async def choose(value: str, seconds: int) -> None:
        preference = {"wa_id": PERSON, "category": "marketing_messages", "value": value, "timestamp": seconds}
        await call(system, "cloud_api", change("user_preferences", {"user_preferences": [preference]}))

    async def listed() -> list[str]:
        page = (await system.http.get("/packages/pkg/suppressions")).json()["data"]
        return [each["source"] for each in page]

    now = int(system.clock().timestamp())
    await choose("stop", now - 100)
    await choose("stop", now - 100)
    assert await listed() == ["gateway"]
    await choose("resume", now - 200)  # an older choice that arrives late
    assert await listed() == ["gateway"]
    await choose("resume", now - 50)
    await choose("stop", now - 100)  # a repeat of the choice that was taken back
    assert await listed() == []
    assert [each.listed for each in system.bus.of(ConsentChanged)] == [True, False]
    await system.http.post("/packages/pkg/suppressions", json={"recipients": [PERSON]})
    await choose("resume", now)
    assert await listed() == ["api"]


async def test_a_published_report_contains_no_secret_and_no_number(system: System) -> None:
    await system.package()
    await system.gateway_profile("evolution", "a")
    data = {"instance": "a", "wuid": f"{PERSON}@s.whatsapp.net", "state": "close", "statusReason": 401}
    await call(system, "evolution", {"event": "connection.update", "instance": "a", "data": data, "apikey": "s3cr3t"})
    (report,) = system.bus.of(ProfileReported)
    published = json.dumps(report.model_dump(mode="json"))
    assert (report.session, "s3cr3t" in published, PERSON in published) == ("unlinked", False, False)
