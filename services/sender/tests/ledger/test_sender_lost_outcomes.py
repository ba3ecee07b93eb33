"""Lost outcomes: what the sender reports about releases whose outcomes never reached the pacer."""

from collections.abc import AsyncGenerator, Callable
from datetime import timedelta

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from sqlalchemy.ext.asyncio import AsyncEngine

from sender.core.claim_result import claim_result
from sender.core.decision import Decision, Defer, Fail, MarkSent, MarkUnknown, ReturnToRouter
from sender.core.lost_outcome import ReleaseInQuestion, StoredRelease, status_to_report
from sender.core.slot_pool import FreeSlots
from sender.endpoints import add_outcome_endpoint
from sender.ledger.claim import FinishedClaim
from sender.ledger.lost_outcomes import LostOutcomes
from sender.ledger.postgres import DeliveryLedger
from sender.testing import NOON, batch_of, released
from spreader.contract.events import DeliveryOutcome, DeliveryReleased
from spreader.testing import FakeProgress, ManualClock

pytestmark = pytest.mark.postgres

MakeLedger = Callable[..., DeliveryLedger]
NONE = timedelta(0)


def question(release: DeliveryReleased) -> ReleaseInQuestion:
    return ReleaseInQuestion(
        package_id=release.package_id,
        message_id=release.message_id,
        delivery_id=release.delivery_id,
        recipient=release.recipient,
        profile_id=release.profile_id,
        attempt=release.attempt,
        release=release.release,
    )


async def reported(ledger: DeliveryLedger) -> list[DeliveryOutcome]:
    events = [event for _, event in await ledger.unpublished(NONE, 100)]
    return [event for event in events if isinstance(event, DeliveryOutcome)]


async def settle_and_lose(ledger: DeliveryLedger, release: DeliveryReleased, decision: Decision) -> DeliveryOutcome:
    """Settles the release and marks its outcome as published. The pacer never gets it."""
    (claim,) = (await ledger.take_in(batch_of(release), FreeSlots(1))).claims
    await ledger.write([FinishedClaim(claim, claim_result(decision, release, NOON, 1))])
    (outcome,) = await reported(ledger)
    await ledger.mark_published([claim.key])
    return outcome


def lost_outcomes(engine: AsyncEngine, *, all_read: bool = True) -> LostOutcomes:
    return LostOutcomes(engine, FakeProgress(behind=0 if all_read else 1_000_000), ManualClock(NOON), read_seconds=0.1)


@pytest.mark.parametrize(
    "decision",
    [
        MarkSent("wamid"),
        Fail("no such number", "recipient"),
        MarkUnknown("no answer"),
        Defer(NONE, "busy"),
        ReturnToRouter("blocked", "profile"),
    ],
)
async def test_a_settled_release_is_reported_again_with_the_same_event_id(
    make_ledger: MakeLedger, engine: AsyncEngine, decision: Decision
) -> None:
    ledger = make_ledger("open")
    first = await settle_and_lose(ledger, released(), decision)
    assert await lost_outcomes(engine).report([question(released())]) == 1
    (again,) = await reported(ledger)
    assert (again.event_id, again.status, again.release) == (first.event_id, first.status, first.release)
    assert (again.not_before is None, again.gateway_message_id) == (first.not_before is None, first.gateway_message_id)


async def test_a_release_that_a_restored_ledger_does_not_have_is_unknown_and_never_sent(
    make_ledger: MakeLedger, engine: AsyncEngine
) -> None:
    ledger = make_ledger("open")
    assert await lost_outcomes(engine).report([question(released())]) == 1
    (outcome,) = await reported(ledger)
    assert (outcome.status, outcome.release, outcome.failure) == ("unknown", 1, "ambiguous")
    taken = await ledger.take_in(batch_of(released(), released("m2")), FreeSlots(9))  # its record comes after all
    assert [claim.delivery.message_id for claim in taken.claims] == ["m2"]


async def test_a_newer_release_that_was_lost_is_unknown_although_an_older_one_is_known(
    make_ledger: MakeLedger, engine: AsyncEngine
) -> None:
    ledger = make_ledger("open")
    await settle_and_lose(ledger, released(release=1), Defer(NONE, "busy"))
    assert await lost_outcomes(engine).report([question(released(release=2))]) == 1
    assert [(outcome.status, outcome.release) for outcome in await reported(ledger)] == [("unknown", 2)]
    assert (await ledger.take_in(batch_of(released(release=2), first=1), FreeSlots(9))).claims == ()


async def test_nothing_is_reported_while_the_sender_has_not_read_everything(
    make_ledger: MakeLedger, engine: AsyncEngine
) -> None:
    ledger = make_ledger("open")
    assert await lost_outcomes(engine, all_read=False).report([question(released())]) == 0
    assert len((await ledger.take_in(batch_of(released()), FreeSlots(1))).claims) == 1


async def test_nothing_is_reported_about_a_release_in_progress(make_ledger: MakeLedger, engine: AsyncEngine) -> None:
    ledger = make_ledger("open")
    await ledger.take_in(batch_of(released("waits")), FreeSlots(0))
    await ledger.take_in(batch_of(released("claimed"), first=1), FreeSlots(1))
    asked = [question(released("waits")), question(released("claimed"))]
    assert await lost_outcomes(engine).report(asked) == 0
    assert await reported(ledger) == []


async def test_an_outcome_that_waits_for_kafka_is_kept_once(make_ledger: MakeLedger, engine: AsyncEngine) -> None:
    ledger = make_ledger("open")
    await lost_outcomes(engine).report([question(released())])
    await lost_outcomes(engine).report([question(released())])
    assert len(await reported(ledger)) == 1


@pytest.fixture
async def http(engine: AsyncEngine) -> AsyncGenerator[AsyncClient]:
    app = FastAPI()
    add_outcome_endpoint(app, lost_outcomes(engine))
    async with AsyncClient(transport=ASGITransport(app=app), base_url="http://sender") as client:
        yield client


async def test_the_pacer_asks_over_http(http: AsyncClient, make_ledger: MakeLedger) -> None:
    await make_ledger("open").take_in(batch_of(released("waits")), FreeSlots(0))
    fields = ReleaseInQuestion.__dataclass_fields__
    releases = [{name: getattr(question(released(message)), name) for name in fields} for message in ("waits", "lost")]
    response = await http.post("/releases/outcomes", json={"releases": releases})
    assert (response.status_code, response.json()) == (200, {"reported": 1, "in_progress": 1})


def test_a_final_status_of_an_older_release_is_reported_as_it_is() -> None:
    """The pacer's database was restored: it has forgotten that the delivery was sent."""
    entry = StoredRelease(released().delivery_id, 1, 7, 3, "sent", "wamid")
    assert status_to_report(question(released(release=9)), entry, all_read=True) == "sent"
