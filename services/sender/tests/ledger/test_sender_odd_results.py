"""Odd results: one result that cannot be stored holds up no other, and its delivery still ends in the same state."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from sender.core.claim_result import NOT_STORABLE, claim_result
from sender.core.decision import Fail, MarkSent
from sender.core.slot_pool import FreeSlots
from sender.ledger.outbox import OutcomeOutbox
from sender.ledger.postgres import DeliveryLedger
from sender.ledger.result_writer import ResultWriter
from sender.testing import NOON, ObservedBus, batch_of, reply
from spreader.contract.events import DeliveryOutcome

pytestmark = pytest.mark.postgres


@pytest.mark.parametrize("odd", ["\0", "\ud83d"], ids=["nul", "half"])
async def test_only_the_odd_result_loses_its_texts(make_ledger: Callable[..., DeliveryLedger], odd: str) -> None:
    """The texts are cleaned before they come here: this holds also if something slips through."""
    ledger, bus = make_ledger("reply"), ObservedBus()
    asked = [reply(f"m{number}", recipient=f"2010000000{number:02}") for number in range(20)]
    claims = (await ledger.take_in(batch_of(*asked), free=FreeSlots(20))).claims
    outbox = OutcomeOutbox(ledger, bus)
    writer = ResultWriter(ledger, outbox, group_seconds=0)
    decisions = {3: MarkSent(f"wamid{odd}"), 11: Fail("why \ud83d", "content", code="\ud83d")}
    writes = [
        writer.write(claim, claim_result(decisions.get(number, MarkSent("wamid")), claim.delivery, NOON, 1))
        for number, claim in enumerate(claims)
    ]
    await outbox.start()
    await writer.start()
    async with asyncio.timeout(20):
        await asyncio.gather(*writes)
        await bus.until(lambda seen: len(seen.of(DeliveryOutcome)) == 20)
    await writer.stop()
    await outbox.stop()
    outcomes = {outcome.delivery_id: outcome for outcome in bus.inner.of(DeliveryOutcome)}
    sent, failed = (outcomes[claims[number].delivery.delivery_id] for number in (3, 11))
    assert [outcome.gateway_message_id for outcome in outcomes.values()].count("wamid") == 18
    assert (sent.status, sent.gateway_message_id) == ("sent", None)
    assert (failed.status, failed.reason, failed.code, failed.failure) == ("failed", NOT_STORABLE, None, "content")
    assert await ledger.unpublished(timedelta(0), 100) == []
