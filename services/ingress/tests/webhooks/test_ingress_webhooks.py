"""Webhooks of the simulator: reports are published before the simulator gets its response."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from ingress.core import delivery_updates
from ingress.testing import System
from spreader.contract.events import CustomerMessage, DeliveryOutcome

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOOK = "/webhooks/simulator/pkg/a"
RECEIPT: dict[str, Any] = {
    "event": "receipt", "delivery_id": "dlv_1", "message_id": "g1", "to": "201000000011", "status": "delivered",
    "at": "2026-06-01T12:00:00Z",
}  # fmt: skip
WORDS: dict[str, Any] = {
    "event": "message", "message_id": "g2", "from": "201000000011", "type": "text", "text": "When?",
    "at": "2026-06-01T12:00:00Z",
}  # fmt: skip
NO_KEY = {"Authorization": ""}


async def sent_delivery(system: System) -> DeliveryOutcome:
    sent = DeliveryOutcome(
        package_id="pkg", message_id="msg_1", delivery_id="dlv_1", recipient="201000000011", lane="reply",
        status="sent", at=NOON, profile_id="a", attempt=2,
    )  # fmt: skip
    await system.projection.fold_deliveries(delivery_updates.from_outcome(sent))
    return sent


async def test_a_receipt_becomes_an_outcome_of_its_delivery(system: System) -> None:
    await system.package("a")
    sent = await sent_delivery(system)
    answers = [
        await system.http.post(HOOK, json={**RECEIPT, "status": status}, headers=NO_KEY)
        for status in ("delivered", "read", "failed")
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    outcomes = system.bus.of(DeliveryOutcome)
    assert [each.status for each in outcomes] == ["delivered", "read", "failed"]
    expected = {"status": "delivered", "gateway_message_id": "g1", "sent_at": sent.at}
    assert outcomes[0] == sent.model_copy(update=expected)
    assert (outcomes[2].failure, outcomes[2].reason is not None) == ("gateway", True)


async def test_a_receipt_for_another_profiles_delivery_changes_nothing(system: System) -> None:
    await system.package("a", "b")
    await sent_delivery(system)
    assert (await system.http.post("/webhooks/simulator/pkg/b", json=RECEIPT)).status_code == 200
    assert system.bus.published == []


async def test_a_report_for_a_profile_that_is_not_read_yet_is_to_be_repeated(system: System) -> None:
    await system.package("a")
    system.packages.set("pkg", None)
    answer = await system.http.post(HOOK, json=WORDS)
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)


async def test_a_customers_message_is_published(system: System) -> None:
    await system.package("a")
    assert (await system.http.post(HOOK, json=WORDS, headers=NO_KEY)).status_code == 200
    assert system.bus.of(CustomerMessage) == [
        CustomerMessage(
            package_id="pkg", profile_id="a", recipient="201000000011", gateway_message_id="g2", text="When?", at=NOON
        )
    ]


async def test_a_report_that_kafka_did_not_acknowledge_is_to_be_repeated(system: System) -> None:
    await system.package("a")
    await sent_delivery(system)
    system.bus.away = True
    assert [(await system.http.post(HOOK, json=report)).status_code for report in (RECEIPT, WORDS)] == [503, 503]


async def test_invalid_reports_are_refused(system: System) -> None:
    await system.package("a")
    await sent_delivery(system)
    calls: list[tuple[str, dict[str, Any], int]] = [
        ("/webhooks/simulator/no/a", WORDS, 404),
        ("/webhooks/simulator/pkg/no", WORDS, 404),
        ("/webhooks/waha/pkg/a", WORDS, 404),
        (HOOK, {**RECEIPT, "status": "eaten"}, 422),
        (HOOK, {**RECEIPT, "at": "2026-06-01T12:00:00"}, 422),
        (HOOK, {**WORDS, "from": "someone"}, 422),
        (HOOK, {"event": "rain"}, 422),
        ("/webhooks/pigeon/pkg/a", WORDS, 404),
    ]
    seen = [(path, (await system.http.post(path, json=report)).status_code) for path, report, _ in calls]
    assert seen == [(path, status) for path, _, status in calls]
    assert system.bus.published == []


@pytest.mark.parametrize("report", [{"event": "rain"}, {"event": 5}, {}])
async def test_an_unknown_event_is_named_by_its_own_field(system: System, report: dict[str, Any]) -> None:
    await system.package("a")
    (error,) = (await system.http.post(HOOK, json=report)).json()["errors"]
    assert error == {"pointer": "/event", "code": "unknown_event", "detail": "must be receipt or message"}


async def test_a_stop_with_half_an_emoji_counts_and_the_message_is_published(system: System) -> None:
    await system.package("a")
    body = json.dumps({**WORDS, "text": "STOP #", "message_id": "g#"}).replace("#", r"\ud83d")
    assert (await system.http.post(HOOK, content=body.encode(), headers=NO_KEY)).status_code == 200
    listed = (await system.http.get("/packages/pkg/suppressions")).json()["data"]
    assert [(each["recipient"], each["evidence"]) for each in listed] == [("201000000011", "a/g\ufffd")]
    (message,) = system.bus.of(CustomerMessage)
    assert (message.text, message.gateway_message_id) == ("STOP \ufffd", "g\ufffd")
