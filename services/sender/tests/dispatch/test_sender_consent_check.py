"""The last look: an open delivery whose recipient must not be written to is not sent; a reply is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from sender.config_cache import SenderConfigCache
from sender.core.claim_result import ClaimResult, SettledClaim
from sender.core.concurrency import FreeSlots
from sender.core.delivery import Delivery
from sender.dispatch.attempt import AttemptRunner
from sender.dispatch.consent_check import ConsentCheck
from sender.gateways.simulator import SimulatorDriver
from sender.ledger.postgres import DeliveryLedger
from sender.testing import NOON, PHONE, FakeGateway, FixedPackages, batch_of, profile, released, reply
from spreader.consent import NOT_OPTED_IN, SUPPRESSED, ConsentFollower, ConsentTable
from spreader.contract.configuration import Package
from spreader.contract.events import ConsentChanged, ConsentKind, DeliveryOutcome, PackageConfigured
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.read_barrier import ReadProgress
from spreader.testing import FakeProgress, ManualClock, NoDeduplication

pytestmark = pytest.mark.postgres

MakeLedger = Callable[..., DeliveryLedger]


class OptedInOnly(FixedPackages):
    def get(self, key: str) -> PackageConfigured | None:
        package = Package(package_id=key, version=1, name=key, profiles=self.profiles, opted_in_only=True)
        return PackageConfigured(package=package, at=NOON)


async def put(engine: AsyncEngine, kind: ConsentKind, package_id: str = "pkg", listed: bool = True) -> None:
    change = ConsentChanged(package_id=package_id, recipient=PHONE, kind=kind, listed=listed, source="api", at=NOON)
    await ConsentFollower(engine, NoDeduplication(), ConsentTable("sender")).on_changed(
        [Received(change, change.topic, 0, 0)]
    )


async def fate_of(
    book: DeliveryLedger,
    driver: SimulatorDriver,
    gateway: FakeGateway,
    asked: Delivery,
    kind: type[FixedPackages] = FixedPackages,
    progress: ReadProgress | None = None,
    wait_seconds: float = 60.0,
) -> ClaimResult:
    (claim,) = (await book.take_in(batch_of(asked), FreeSlots(1))).claims
    sending = _sending(book, driver, kind((profile(gateway.base_url),)), progress or FakeProgress(), wait_seconds)
    return await sending.run(claim)


def _sending(
    book: DeliveryLedger,
    driver: SimulatorDriver,
    configured: FixedPackages,
    progress: ReadProgress,
    wait_seconds: float = 60.0,
) -> AttemptRunner:
    consent_check = ConsentCheck(book.engine, progress, wait_seconds) if book.lane == "open" else None
    return AttemptRunner(
        book, SenderConfigCache(configured), {"simulator": driver}, ManualClock(NOON), 1.0, Random(1), 30, consent_check
    )


def told(fate: ClaimResult) -> tuple[str, str | None, int | None]:
    assert isinstance(fate, SettledClaim)
    (outcome,) = (each for each in fate.events if isinstance(each, DeliveryOutcome))
    return outcome.status, outcome.reason, outcome.release


@pytest.mark.parametrize("package_id", ["pkg", "*"])
async def test_an_open_delivery_to_a_suppressed_recipient_is_not_sent(
    engine: AsyncEngine, ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway, package_id: str
) -> None:
    await put(engine, "suppression", package_id)
    fate = await fate_of(ledger("open"), driver, gateway, released(release=7))
    assert (told(fate), gateway.calls) == (("suppressed", SUPPRESSED, 7), [])


async def test_a_suppression_of_another_package_or_one_that_was_lifted_stops_nothing(
    engine: AsyncEngine, ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    await put(engine, "suppression", "other")
    await put(engine, "suppression")
    await put(engine, "suppression", listed=False)
    fate = await fate_of(ledger("open"), driver, gateway, released())
    assert told(fate)[0] == "sent"


async def test_a_reply_to_who_opted_out_goes_out(
    engine: AsyncEngine, ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    await put(engine, "suppression")
    fate = await fate_of(ledger("reply"), driver, gateway, reply(), OptedInOnly)
    assert told(fate)[0] == "sent"


@pytest.mark.parametrize(
    ("opted_in", "expected"), [(False, ("suppressed", NOT_OPTED_IN, 1)), (True, ("sent", None, 1))]
)
async def test_an_opted_in_only_package_sends_to_who_opted_in(
    engine: AsyncEngine,
    ledger: MakeLedger,
    driver: SimulatorDriver,
    gateway: FakeGateway,
    opted_in: bool,
    expected: tuple[str, str | None, int],
) -> None:
    if opted_in:
        await put(engine, "opt_in")
    fate = await fate_of(ledger("open"), driver, gateway, released(), OptedInOnly)
    assert told(fate) == expected
    assert len(gateway.calls) == int(opted_in)


@dataclass
class Catching(FakeProgress):
    """While it is waited for, the recipient's opt-in is read."""

    engine: AsyncEngine | None = None

    async def has_read(self, topic: str, ends: Mapping[int, int]) -> bool:
        assert self.engine is not None
        await put(self.engine, "opt_in")
        return True


async def test_who_opted_in_a_moment_ago_is_sent_to(
    engine: AsyncEngine, ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    fate = await fate_of(ledger("open"), driver, gateway, released(), OptedInOnly, Catching(engine=engine))
    assert told(fate)[0] == "sent"


async def test_while_changes_of_consent_are_unread_nobody_is_taken_for_not_opted_in(
    engine: AsyncEngine, ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    """It goes back to the pacer and comes again."""
    behind = FakeProgress(behind=1_000_000)
    fate = await fate_of(ledger("open"), driver, gateway, released(), OptedInOnly, behind, wait_seconds=0.05)
    assert (told(fate)[0], gateway.calls) == ("deferred", [])


async def test_what_may_have_been_sent_already_is_asked_for_and_not_sent_again(
    engine: AsyncEngine, ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    """A worker died in the call; the recipient opted out since."""
    dead = ledger("open", "worker-dead", lease_seconds=0)
    assert (await dead.take_in(batch_of(released()), FreeSlots(1))).claims
    await put(engine, "suppression")
    (claim,) = await ledger("open").claim(FreeSlots(1))
    assert claim.in_doubt
    sending = _sending(ledger("open"), driver, FixedPackages((profile(gateway.base_url),)), FakeProgress())
    assert (told(await sending.run(claim))[0], gateway.sent) == ("suppressed", [])
