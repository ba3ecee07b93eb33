"""One person, two spellings of the number: the pacer ends, limits and warms the deliveries to both."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import text

from pacer.intake.consent_enforcer import ConsentEnforcer
from pacer.sql import contacts
from pacer.testing import START, Pacer, assigned, package, received
from spreader.consent import SUPPRESSED
from spreader.contract.configuration import ProfileLimits
from spreader.contract.events import (
    ConsentChanged,
    ConsentKind,
    DeliveryOutcome,
    DeliveryReleased,
    OpenDeliveriesAssigned,
)
from spreader.contract.ids import delivery_id
from spreader.phone.canonical import person_key
from spreader.runtime.rows import fetched
from spreader.testing import FakeProgress, NoDeduplication

pytestmark = pytest.mark.postgres

PAIRS = [
    ("5582999448232", "558299448232"),
    ("525512345678", "5215512345678"),
    ("5491155551234", "541155551234"),
]
"""The key of a person, and the other spelling of the number."""
KEY, OTHER = PAIRS[0]
both_ways = pytest.mark.parametrize("pair", [*PAIRS, *(pair[::-1] for pair in PAIRS)])


def to(number: str, message_id: str = "msg_1") -> OpenDeliveriesAssigned:
    event = assigned(1, message_id)
    update = {"recipient": number, "delivery_id": delivery_id(message_id, number)}
    return event.model_copy(update={"deliveries": (event.deliveries[0].model_copy(update=update),)})


async def change(pacer: Pacer, number: str, kind: ConsentKind = "suppression", listed: bool = True) -> None:
    event = ConsentChanged(package_id="one", recipient=number, kind=kind, listed=listed, source="api", at=START)
    enforcer = ConsentEnforcer(pacer.engine, pacer.config, FakeProgress(), lambda: None)
    await enforcer.apply(NoDeduplication(), received(event))
    await pacer.end_stopped()
    await pacer.relay()


def ended(pacer: Pacer) -> list[tuple[str, str, str | None]]:
    return [(each.recipient, each.status, each.reason) for each in pacer.bus.of(DeliveryOutcome)]


@both_ways
async def test_stop_from_one_spelling_ends_held_and_later_deliveries_to_the_other(
    pacer: Pacer, pair: Sequence[str]
) -> None:
    listed, stopped = pair
    await pacer.hold(to(listed))
    await change(pacer, stopped)
    await pacer.hold(to(listed, "msg_2"))
    await pacer.relay()
    assert ended(pacer) == [(listed, "suppressed", SUPPRESSED)] * 2
    assert await pacer.release() == []


async def test_stop_ends_what_the_previous_version_holds(pacer: Pacer) -> None:
    """During an upgrade, an older instance stores the number as it was given."""
    await pacer.hold(to(OTHER))
    async with pacer.engine.begin() as connection:
        await connection.execute(text(f"UPDATE pacer.delivery SET recipient = '{OTHER}', given = NULL"))
    await change(pacer, KEY)
    assert ended(pacer) == [(OTHER, "suppressed", SUPPRESSED)]


async def test_an_opt_in_of_one_spelling_allows_the_other(pacer: Pacer) -> None:
    pacer.config.configure(package().model_copy(update={"opted_in_only": True}))
    await change(pacer, OTHER, "opt_in")
    enforcer = ConsentEnforcer(pacer.engine, pacer.config, FakeProgress(), lambda: None)
    await pacer.hold(to(KEY))
    enforcer.on_configured("one")
    while await enforcer.enforce() == 0:
        pass
    assert await pacer.states() == {"held": 1}


@both_ways
async def test_a_release_has_the_number_as_it_was_given(pacer: Pacer, pair: Sequence[str]) -> None:
    given = pair[0]
    await pacer.hold(to(given))
    (released,) = await pacer.release()
    assert (released.recipient, released.delivery_id) == (given, delivery_id("msg_1", given))


async def test_another_attempt_of_what_the_previous_version_holds_keeps_the_number(pacer: Pacer) -> None:
    await pacer.hold(to(OTHER))
    async with pacer.engine.begin() as connection:
        await connection.execute(text(f"UPDATE pacer.delivery SET recipient = '{OTHER}', given = NULL"))
    (first,) = (event := to(OTHER)).deliveries
    await pacer.hold(event.model_copy(update={"deliveries": (first.model_copy(update={"attempt": 2}),)}))
    (released,) = await pacer.release()
    assert (released.recipient, released.attempt) == (OTHER, 2)


async def test_the_limit_of_a_recipient_counts_both_spellings(pacer: Pacer) -> None:
    pacer.configure(package(limits=ProfileLimits(per_recipient_per_day=1)))
    await pacer.hold(to(KEY), to(OTHER, "msg_2"))
    released = list[DeliveryReleased]()
    for _ in range(20):
        released += await pacer.release()
        await pacer.report("sent", *released[-1:])
        pacer.now += timedelta(minutes=30)
    assert len(released) == 1


async def test_a_customer_who_writes_from_one_spelling_is_warm_for_the_other(pacer: Pacer) -> None:
    await pacer.hold(to(KEY))
    await pacer.receive_message(OTHER)
    await pacer.hold(to(OTHER, "msg_2"))
    async with pacer.engine.connect() as connection:
        cold = (await connection.execute(text("SELECT cold FROM pacer.delivery"))).scalars().all()
        params = {"package_id": "one", "recipients": [person_key(KEY)]}
        hours = fetched(contacts.HourCount, await connection.execute(contacts.READ_HOURS, params))
    assert list(cold) == [False, False]
    assert sum(row.readings for row in hours) == 1
