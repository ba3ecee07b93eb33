"""Refused records of the sender: an outcome that Kafka refuses for good holds up no other."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from sender.core.claim_result import claim_result
from sender.core.decision import Fail, MarkSent
from sender.core.slot_pool import FreeSlots
from sender.ledger.claim import FinishedClaim
from sender.ledger.outbox import LOOK_SECONDS, OutcomeOutbox
from sender.ledger.postgres import DeliveryLedger
from sender.testing import NOON, batch_of, reply
from spreader.contract.events import DEAD_LETTER_TOPIC, DeliveryOutcome
from spreader.kafka.dead_letter import DeadLetterBus
from spreader.testing import kafka_bus, record_counts

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]

TOPICS = (DeliveryOutcome.topic, DEAD_LETTER_TOPIC)


async def test_an_outcome_that_kafka_refuses_holds_up_no_other(
    make_ledger: Callable[..., DeliveryLedger], kafka_servers: str
) -> None:
    """Before, the outcomes that were left behind were published again and again, all of them."""
    ledger = make_ledger("reply")
    asked = [reply(f"m{number}", recipient=f"2010000000{number:02}") for number in range(4)]
    claims = (await ledger.take_in(batch_of(*asked), free=FreeSlots(4))).claims
    decisions = {1: Fail("x" * 1_500_000, "content")}
    await ledger.write(
        [
            FinishedClaim(claim, claim_result(decisions.get(number, MarkSent("wamid")), claim.delivery, NOON, 1))
            for number, claim in enumerate(claims)
        ]
    )
    before = await record_counts(kafka_servers, *TOPICS)
    async with kafka_bus(kafka_servers) as bus:
        outbox = OutcomeOutbox(ledger, DeadLetterBus(bus, "sender"), overdue=timedelta(0))
        assert await outbox.publish_overdue() == 0
        assert await outbox.publish_overdue() == LOOK_SECONDS
    written = await record_counts(kafka_servers, *TOPICS) - before
    assert written[DeliveryOutcome.topic] >= 3
    assert written[DEAD_LETTER_TOPIC] >= 1  # its callback is too large, too
    assert await ledger.unpublished(timedelta(0), 100) == []
