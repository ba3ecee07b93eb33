"""Broken texts: an outcome whose reason no store keeps still ends its release."""

import pytest

from pacer.testing import START, Pacer, assigned, outcome, package
from spreader.contract.events import DeliveryOutcome
from spreader.kafka.envelope import decode, encode

pytestmark = pytest.mark.postgres


@pytest.mark.parametrize("broken", [r"\u0000", r"\ud83d"])
async def test_an_outcome_with_a_text_that_no_store_keeps_frees_its_place_at_the_gateway(
    pacer: Pacer, broken: str
) -> None:
    """The package may have one delivery at its gateway: the second is released only when the first release ends."""
    pacer.configure(package(profiles=2, concurrent=1))
    await pacer.hold(assigned(2, profiles=2))
    (first,) = await pacer.release()
    failed = outcome(first, "failed", None).model_copy(update={"reason": "refused: #"})
    envelope = encode(failed, "sender", START)
    body = (envelope.body or b"").replace(b"#", broken.encode())
    decoded = decode(envelope.topic, envelope.headers, body)
    assert isinstance(decoded, DeliveryOutcome)
    await pacer.settle(decoded)
    (second,) = await pacer.release()
    assert second.delivery_id != first.delivery_id
    assert await pacer.states() == {"settled": 1, "released": 1}
