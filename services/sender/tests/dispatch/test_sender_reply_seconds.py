"""Reply latency: it is measured from acceptance to the gateway's acknowledgement, for sent replies only."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from sender.gateways.simulator import SimulatorDriver
from sender.ledger.postgres import DeliveryLedger
from sender.testing import FakeGateway, Refuse, released, reply
from sender.testing.lane_runner import run_lane

pytestmark = pytest.mark.postgres


def shown(name: str) -> float:
    return REGISTRY.get_sample_value(f"spreader_reply_seconds_{name}") or 0.0


async def test_a_reply_is_timed_from_its_acceptance_and_only_when_it_was_sent(
    make_ledger: Callable[..., DeliveryLedger], driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    count, seconds = shown("count"), shown("sum")
    yes, no = reply("m1"), reply("m2", recipient="201000000002")
    gateway.script = {no.delivery_id: [Refuse(404, "recipient_invalid")]}
    async with run_lane(make_ledger("reply"), driver, gateway) as sender:
        sender.clock.forward(timedelta(seconds=3))
        await sender.receive(yes, no)
        await sender.outcomes(2)
    assert (shown("count"), shown("sum")) == (count + 1, seconds + 3)
    async with run_lane(make_ledger("open"), driver, gateway) as sender:
        await sender.receive(released("m3"))
        await sender.outcomes(1)
    assert shown("count") == count + 1
