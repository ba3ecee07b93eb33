"""Traces: a claim is a span below the delivery's own; the gateway call and the outcome continue from it."""

from collections.abc import AsyncGenerator, Callable

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from sender.core.gateway_answer import SendAccepted
from sender.gateways.driver import Driver
from sender.gateways.simulator import SimulatorDriver
from sender.ledger.postgres import DeliveryLedger
from sender.testing import PHONE, FakeGateway, Refuse, released, reply, send_once
from sender.testing.contents import DRIVERS
from sender.testing.gateway_server import GatewayServer, profile_at
from sender.testing.lane_runner import run_lane
from spreader.contract import configuration
from spreader.contract.events import DeliveryOutcome, ReplySettled
from spreader.testing import RecordedSpans, parent_traceparent_of, recording_spans, traceparent_of

pytestmark = pytest.mark.postgres

MakeLedger = Callable[..., DeliveryLedger]
ASKED = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACED = {"traceparent": ASKED}


@pytest.fixture
async def memory() -> AsyncGenerator[RecordedSpans]:
    async with recording_spans("sender") as memory:
        yield memory


async def test_a_reply_is_one_span_that_its_gateway_and_its_outcome_continue(
    make_ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway, memory: RecordedSpans
) -> None:
    asked = reply().model_copy(update=TRACED)
    async with run_lane(make_ledger("reply"), driver, gateway, tracing=memory.tracing) as sender:
        await sender.receive(asked)
        (outcome,) = await sender.outcomes(1)
        (settled,) = sender.bus.inner.of(ReplySettled)
    (span,) = memory.spans
    assert (span.name, span.kind, parent_traceparent_of(span)) == ("send simulator", SpanKind.CLIENT, ASKED)
    assert gateway.traceparents == [outcome.traceparent] == [settled.traceparent] == [traceparent_of(span)]
    attributes = dict(span.attributes or {})
    assert (attributes["spreader.delivery_id"], attributes["spreader.lane"]) == (asked.delivery_id, "reply")
    assert attributes["spreader.status"] == "sent"
    exported = span.to_json()
    assert PHONE not in exported
    assert "Hello" not in exported
    assert "wamid" not in exported  # a gateway's own message id contains the customer's number


async def test_each_try_is_a_span_and_the_last_one_of_an_unsent_delivery_has_failed(
    make_ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway, memory: RecordedSpans
) -> None:
    asked = reply().model_copy(update=TRACED)
    gateway.script[asked.delivery_id] = [Refuse(500, "transient"), Refuse(404, "recipient_invalid")]
    async with run_lane(make_ledger("reply"), driver, gateway, tracing=memory.tracing) as sender:
        await sender.receive(asked)
        (outcome,) = await sender.outcomes(1)
    first, last = memory.spans
    assert [parent_traceparent_of(first), parent_traceparent_of(last)] == [ASKED, ASKED]
    assert [(each.attributes or {})["spreader.tries"] for each in (first, last)] == [1, 2]
    assert [(each.attributes or {})["spreader.status"] for each in (first, last)] == ["tried again", "failed"]
    assert [each.status.status_code for each in (first, last)] == [StatusCode.UNSET, StatusCode.ERROR]
    assert outcome.traceparent == traceparent_of(last)


async def test_without_tracing_the_traceparent_is_passed_on_unchanged(
    make_ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    async with run_lane(make_ledger("open"), driver, gateway) as sender:
        await sender.receive(released().model_copy(update=TRACED))
        await sender.outcomes(1)
        outcomes = sender.bus.inner.of(DeliveryOutcome)
    assert gateway.traceparents == [ASKED] == [each.traceparent for each in outcomes]


@pytest.mark.parametrize("driver", DRIVERS)
async def test_real_gateways_get_no_traceparent(
    drivers: dict[str, Driver], server: GatewayServer, driver: configuration.Driver
) -> None:
    delivery = reply().model_copy(update=TRACED)
    answer = await send_once(drivers[driver], delivery, profile_at(driver, server.base_url))
    assert isinstance(answer, SendAccepted)
    assert [name for asked in server.requests for name in asked.headers if name.lower() == "traceparent"] == []
