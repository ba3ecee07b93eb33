"""Erasure of a person through the API, on a real Postgres: what is known, what is removed, and who reports it."""

from datetime import timedelta
from typing import Any, cast

import pytest
from sqlalchemy import text

from ingress.infra import outbox
from ingress.privacy.eraser import build_eraser
from ingress.privacy.erasures import KEPT, SERVICES, Erasures
from ingress.status.handlers import StatusHandlers
from ingress.testing import System
from local.testbed.sql_search import tables_with
from spreader.contract.content import TextContent
from spreader.contract.events import (
    AssignedDelivery,
    ConsentChanged,
    DeliveryOutcome,
    ErasureReported,
    OpenDeliveriesAssigned,
    OpenMessageRequested,
    OpenOptions,
    RecipientErased,
    Status,
)
from spreader.contract.ids import ERASED, delivery_id
from spreader.erasure.eraser import Eraser
from spreader.erasure.postgres import ErasureTable
from spreader.kafka.envelope import decode, encode
from spreader.kafka.guarded_consumer import Received

pytestmark = pytest.mark.postgres

ONE, TWO = "201000000011", "201000000012"
PATH = f"/recipients/{ONE}"
MINUTE = timedelta(minutes=1)
TEXT = TextContent(type="text", text="Hello")
HOOK = "/webhooks/simulator/pkg/a"


def received(*events: Any) -> list[Received[Any]]:
    return [Received(event, event.topic, 0, offset) for offset, event in enumerate(events)]


async def message(system: System, message_id: str, status: Status | None = None) -> None:
    """Fold the events of a message to ONE and TWO. The delivery to ONE gets this status."""
    now, handlers = system.clock(), StatusHandlers(system.projection, system.receipts)
    common: dict[str, Any] = {"package_id": "pkg", "message_id": message_id}
    asked = OpenMessageRequested(**common, content=TEXT, recipients=(ONE, TWO), requested_at=now)
    await handlers.on_open_requested(received(asked))
    assigned = OpenDeliveriesAssigned(
        **common,
        content=TEXT,
        options=OpenOptions(),
        requested_at=now,
        strategy="round_robin",
        deliveries=tuple(
            AssignedDelivery(delivery_id=delivery_id(message_id, each), recipient=each, profile_id="a", index=place)
            for place, each in enumerate((ONE, TWO))
        ),
    )
    await fold(handlers, assigned)
    if status is not None:
        await fold(handlers, outcome(message_id, status, system))


def outcome(message_id: str, status: Status, system: System, recipient: str = ONE) -> DeliveryOutcome:
    return DeliveryOutcome(
        package_id="pkg",
        message_id=message_id,
        delivery_id=delivery_id(message_id, ONE),
        recipient=recipient,
        lane="open",
        status=status,
        at=system.clock(),
        profile_id="a",
        gateway_message_id=f"wamid.{ONE}",
    )


async def fold(handlers: StatusHandlers, event: Any) -> None:
    (consumer,) = (each for each in handlers.consumers(cast("Any", None)) if type(event) in each.accepts)
    await consumer.handle(received(event))


def eraser_of(system: System) -> Eraser:
    eraser = build_eraser(system.engine, ErasureTable("ingress"), system.log, system.clock)
    return Eraser(eraser.engine, eraser.table, eraser.now, eraser.removals, eraser.finish, eraser.waits, eraser.step)


async def work(system: System) -> None:
    async with system.engine.begin() as connection:
        await connection.execute(text("UPDATE ingress.erasure SET look_at = now()"))
    for _ in range(5):
        await eraser_of(system).run_once()


async def erase(system: System, path: str = PATH, **body: Any) -> dict[str, Any]:
    response = await system.http.post(f"{path}/erase", json=body)
    assert response.status_code == 202, response.text
    await system.relay_outbox()
    await work(system)
    return response.json()


async def traces(system: System, number: str = ONE) -> set[str]:
    async with system.engine.connect() as connection:
        return await tables_with(connection, number, "ingress")


async def everywhere(system: System) -> None:
    """Give every table of the ingress that has numbers a row of ONE."""
    await system.package("a")
    await message(system, "msg_1", "read")
    await system.http.post("/packages/pkg/opt-ins", json={"recipients": [ONE]})
    await system.http.post("/suppressions", json={"recipients": [ONE]})
    stop = {"event": "message", "message_id": f"wamid.{ONE}", "from": ONE, "type": "text", "text": "STOP"}
    assert (await system.http.post(HOOK, json={**stop, "at": "2026-06-01T11:00:00Z"})).status_code == 200
    async with system.engine.begin() as connection:
        await connection.execute(
            text("""
INSERT INTO ingress.receipt_waiting (profile_id, gateway_message_id, status, package_id, recipient, at)
VALUES ('a', 'echo', 'sent', 'pkg', :recipient, :at)"""),
            {"recipient": ONE, "at": system.clock()},
        )
        for statement in (
            "INSERT INTO ingress.hidden_id (profile_id, hidden_id, recipient) VALUES ('a', '77', :one)",
            """INSERT INTO ingress.possible_opt_out (package_id, recipient, profile_id, text, evidence, at)
               VALUES ('pkg', :one, 'a', 'Please stop', 'a/1', :at)""",
        ):
            await connection.execute(text(statement), {"one": ONE, "at": system.clock()})
        refused = OpenMessageRequested(
            package_id="pkg", message_id="msg_2", content=TEXT, recipients=(ONE, TWO), requested_at=system.clock()
        )
        await outbox.put(connection, [encode(refused, "ingress", system.clock())])
        await connection.execute(text("UPDATE ingress.outbox SET refusal = 'too large'"))


@pytest.mark.parametrize("keep", [True, False])
async def test_an_erased_person_is_in_no_table_except_a_kept_suppression(system: System, keep: bool) -> None:
    await everywhere(system)
    tables = ("delivery", "consent", "receipt_waiting", "outbox", "hidden_id", "possible_opt_out")
    assert await traces(system) == {f"ingress.{table}" for table in tables}
    begun = await erase(system, keep_suppression=keep)
    assert (begun["status"], begun["keep_suppression"], begun["recipient"]) == ("in_progress", keep, ONE)
    assert await traces(system) == ({"ingress.consent"} if keep else set())
    known = (await system.http.get(PATH)).json()
    assert [row["package_id"] for row in known["suppressions"]] == (["*", "pkg"] if keep else [])
    assert (known["opt_ins"], known["deliveries"]["total"]) == ([], 0)
    assert (known["possible_opt_outs"], known["hidden_ids"]) == ([], [])
    assert known["erasure"]["services"]["ingress"]["rows"] == {
        "ingress.delivery": 1, "ingress.receipt_waiting": 1, "ingress.outbox": 1, "ingress.consent": 2 if keep else 3,
        "ingress.hidden_id": 1, "ingress.possible_opt_out": 1,
    }  # fmt: skip
    shown = (await system.http.get(f"/deliveries/{delivery_id('msg_1', ONE)}")).json()
    assert (shown["recipient"], shown["status"], shown["gateway_message_id"]) == (ERASED, "read", None)


async def test_all_services_are_told_and_the_erasure_is_done_when_all_have_reported(system: System) -> None:
    system.router.responses[PATH] = {"conversations": []}
    begun = await erase(system)
    (event,) = (decode(each.topic, each.headers, each.body) for each in system.log.envelopes if each.body)
    assert event == RecipientErased(
        erasure_id=begun["erasure_id"], recipient=ONE, keep_suppression=True, at=system.clock()
    )
    records = Erasures(system.engine, ErasureTable("ingress"), system.clock)
    for service in SERVICES[1:]:
        assert (await system.http.get(PATH)).json()["erasure"]["status"] == "in_progress"
        report = ErasureReported(
            erasure_id=begun["erasure_id"], service=service, rows={f"{service}.x": 2}, at=system.clock()
        )
        await records.on_reported(received(report, report.model_copy(update={"erasure_id": "ers_unknown"})))
        await records.on_reported(received(report))
    known = (await system.http.get(PATH)).json()["erasure"]
    assert (known["status"], known["done_at"], known["erasure_id"]) == (
        "done",
        "2026-06-01T12:00:00Z",
        begun["erasure_id"],
    )
    assert known["services"]["pacer"] == {"done_at": "2026-06-01T12:00:00Z", "rows": {"pacer.x": 2}}
    assert {row["what"]: row["until"] for row in known["left_to_time"]} == {
        "records in Kafka's topics": "2026-06-09T00:00:00Z",
        "message ids in stats: the Cloud API makes them from the person's phone number": "2026-06-16T12:00:00Z",
        "your backups, and what WhatsApp and the gateways keep": None,
    }


async def test_each_entry_that_goes_gets_a_tombstone_and_later_entries_are_later(system: System) -> None:
    await everywhere(system)
    await erase(system)
    tombstones = [(each.topic, each.key) for each in system.log.envelopes if each.body is None]
    assert tombstones == [(ConsentChanged.topic, f"pkg:{ONE}:opt_in".encode())]
    system.clock.forward(-MINUTE)  # another instance, whose clock is behind
    await system.http.post("/packages/pkg/opt-ins", json={"recipients": [ONE]})
    assert system.bus.of(ConsentChanged)[-1].at > system.clock() + MINUTE


async def test_a_delivery_that_has_not_ended_is_waited_for(system: System) -> None:
    await system.package("a")
    await message(system, "msg_1")
    await erase(system)
    assert await traces(system) == {"ingress.delivery", "ingress.erasure"}
    await fold(StatusHandlers(system.projection, system.receipts), outcome("msg_1", "cancelled", system, ERASED))
    await work(system)
    assert await traces(system) == set()


async def test_older_events_bring_nobody_back_and_later_ones_begin_afresh(system: System) -> None:
    await system.package("a")
    handlers = StatusHandlers(system.projection, system.receipts)
    await message(system, "msg_1", "sent")
    await erase(system, keep_suppression=False)
    await fold(handlers, outcome("msg_1", "read", system))  # a receipt, with the gateway's id
    await message(system, "msg_2", "sent")  # read late
    stop = {"event": "message", "message_id": "g1", "from": ONE, "type": "text", "text": "STOP"}
    await system.http.post(HOOK, json={**stop, "at": "2026-06-01T11:59:59Z"})
    assert await traces(system) == set()
    system.clock.forward(MINUTE)
    await message(system, "msg_3", "sent")
    await system.http.post(HOOK, json={**stop, "message_id": "g2", "at": "2026-06-01T12:00:30Z"})
    await work(system)
    assert await traces(system) == {"ingress.delivery", "ingress.consent"}


async def test_an_opt_out_that_arrives_late_counts_if_suppressions_are_kept(system: System) -> None:
    await system.package("a")
    await erase(system)
    stop = {"event": "message", "message_id": "g1", "from": ONE, "type": "text", "text": "STOP"}
    await system.http.post(HOOK, json={**stop, "at": "2026-06-01T11:59:59Z"})
    assert await traces(system) == {"ingress.consent"}
    known = (await system.http.get(PATH)).json()
    assert [(row["package_id"], row["source"]) for row in known["suppressions"]] == [("pkg", "opt_out_word")]


async def test_the_person_is_found_by_each_form_of_the_number(system: System) -> None:
    old, new = "558299448232", "5582999448232"
    await system.package("a")
    await system.http.post("/packages/pkg/opt-ins", json={"recipients": [old]})
    await system.http.post("/suppressions", json={"recipients": [new]})
    known = (await system.http.get(f"/recipients/{old}")).json()
    assert (len(known["opt_ins"]), len(known["suppressions"])) == (1, 1)
    begun = await erase(system, f"/recipients/{old}", keep_suppression=False)
    assert await traces(system, old) | await traces(system, new) == set()
    tombstones = {each.key for each in system.log.envelopes if each.body is None}
    lists = [("pkg", "opt_in"), ("*", "suppression")]
    assert tombstones == {f"{where}:{number}:{kind}".encode() for where, kind in lists for number in (old, new)}
    assert (await system.http.get(f"/recipients/{new}")).json()["erasure"]["erasure_id"] == begun["erasure_id"]


async def test_what_is_known_has_the_parts_of_all_services_and_says_which_is_missing(system: System) -> None:
    await everywhere(system)
    conversation = {
        "conversation_id": "conv_1", "package_id": "pkg", "profile_id": "a", "customer_at": None, "sent_at": None
    }  # fmt: skip
    system.router.responses[PATH] = {"conversations": [conversation]}
    known = (await system.http.get(PATH)).json()
    assert [(row["package_id"], row["source"]) for row in known["suppressions"]] == [
        ("*", "api"),
        ("pkg", "opt_out_word"),
    ]
    assert [row["package_id"] for row in known["opt_ins"]] == ["pkg"]
    assert [(row["text"], row["decision"]) for row in known["possible_opt_outs"]] == [("Please stop", None)]
    assert known["hidden_ids"] == [{"profile_id": "a", "hidden_id": "77"}]
    assert {name: count for name, count in known["deliveries"]["counts"].items() if count} == {"read": 1}
    assert (known["deliveries"]["first_at"], known["deliveries"]["last_at"]) == ("2026-06-01T12:00:00Z",) * 2
    assert (known["conversations"], known["reading"]) == ([conversation], None)
    assert list(known["unavailable"]) == ["pacer"]
    assert known["erasure"] is None


async def test_wrong_requests_are_refused(system: System) -> None:
    assert (await system.http.get(f"/recipients/{ERASED}")).status_code == 404
    assert (await system.http.post(f"/recipients/{ERASED}/erase")).status_code == 404
    assert (await system.http.get("/recipients/mona")).status_code == 404
    assert (await system.http.post(f"{PATH}/erase", json={"keep": 1})).status_code == 422
    assert (await system.http.post(f"{PATH}/erase")).json()["keep_suppression"] is True


async def test_the_record_is_kept_for_a_year_and_then_deleted(system: System) -> None:
    await erase(system)
    async with system.engine.begin() as connection:
        table = ErasureTable("ingress")
        assert await table.delete_old(connection, KEPT, 10) == 0
        await connection.execute(text("UPDATE ingress.erasure SET done_at = now() - interval '401 days'"))
        assert await table.delete_old(connection, KEPT, 10) == 1


async def test_each_table_that_is_searched_for_a_person_has_an_index_by_number(system: System) -> None:
    statement = """
SELECT attrelid::regclass::text FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
WHERE attname = 'recipient' AND indpred IS NULL AND indisvalid"""
    async with system.engine.connect() as connection:
        indexed = set((await connection.execute(text(statement))).scalars())
    assert indexed >= {f"ingress.{name}" for name in ("consent", "possible_opt_out", "hidden_id", "delivery")}
