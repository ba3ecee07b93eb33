"""Consent check: an open delivery that consent forbids is not sent; a reply always is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from sender.config_cache import SenderConfigCache
from sender.core.claim_result import ClaimResult, SettledClaim
from sender.core.delivery import Delivery
from sender.core.slot_pool import FreeSlots
from sender.dispatch.attempt import AttemptRunner
from sender.dispatch.consent_check import ConsentCheck
from sender.gateways.simulator import SimulatorDriver
from sender.ledger.call_starts import CallStarts
from sender.ledger.postgres import DeliveryLedger
from sender.testing import NOON, PHONE, FakeGateway, FixedPackages, batch_of, begin_calls, profile, released, reply
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


async def result_of(
    ledger: DeliveryLedger,
    driver: SimulatorDriver,
    gateway: FakeGateway,
    delivery: Delivery,
    kind: type[FixedPackages] = FixedPackages,
    progress: ReadProgress | None = None,
    wait_seconds: float = 60.0,
) -> ClaimResult:
    (claim,) = (await ledger.take_in(batch_of(delivery), FreeSlots(1))).claims
    runner = _runner(ledger, driver, kind((profile(gateway.base_url),)), progress or FakeProgress(), wait_seconds)
    return await runner.run(claim)


def _runner(
    ledger: DeliveryLedger,
    driver: SimulatorDriver,
    configured: FixedPackages,
    progress: ReadProgress,
    wait_seconds: float = 60.0,
) -> AttemptRunner:
    consent_check = ConsentCheck(ledger.engine, progress, wait_seconds) if ledger.lane == "open" else None
    return AttemptRunner(
        ledger,
        SenderConfigCache(configured),
        {"simulator": driver},
        ManualClock(NOON),
        1.0,
        Random(1),
        CallStarts(ledger),
        30,
        consent_check,
    )


def outcome_of(result: ClaimResult) -> tuple[str, str | None, int | None]:
    assert isinstance(result, SettledClaim)
    (outcome,) = (event for event in result.events if isinstance(event, DeliveryOutcome))
    return outcome.status, outcome.reason, outcome.release


@pytest.mark.parametrize("package_id", ["pkg", "*"])
async def test_an_open_delivery_to_a_suppressed_recipient_is_not_sent(
    engine: AsyncEngine, make_ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway, package_id: str
) -> None:
    await put(engine, "suppression", package_id)
    result = await result_of(make_ledger("open"), driver, gateway, released(release=7))
    assert (outcome_of(result), gateway.calls) == (("suppressed", SUPPRESSED, 7), [])


async def test_a_suppression_of_another_package_or_a_lifted_one_does_not_stop_a_send(
    engine: AsyncEngine, make_ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    await put(engine, "suppression", "other")
    await put(engine, "suppression")
    await put(engine, "suppression", listed=False)
    result = await result_of(make_ledger("open"), driver, gateway, released())
    assert outcome_of(result)[0] == "sent"


async def test_a_reply_to_a_recipient_who_opted_out_is_sent(
    engine: AsyncEngine, make_ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    await put(engine, "suppression")
    result = await result_of(make_ledger("reply"), driver, gateway, reply(), OptedInOnly)
    assert outcome_of(result)[0] == "sent"


@pytest.mark.parametrize(
    ("opted_in", "expected"), [(False, ("suppressed", NOT_OPTED_IN, 1)), (True, ("sent", None, 1))]
)
async def test_an_opted_in_only_package_sends_only_to_recipients_who_opted_in(
    engine: AsyncEngine,
    make_ledger: MakeLedger,
    driver: SimulatorDriver,
    gateway: FakeGateway,
    opted_in: bool,
    expected: tuple[str, str | None, int],
) -> None:
    if opted_in:
        await put(engine, "opt_in")
    result = await result_of(make_ledger("open"), driver, gateway, released(), OptedInOnly)
    assert outcome_of(result) == expected
    assert len(gateway.calls) == int(opted_in)


@dataclass
class Catching(FakeProgress):
    """During the wait, the recipient's opt-in is consumed."""

    engine: AsyncEngine | None = None

    async def has_read(self, topic: str, ends: Mapping[int, int]) -> bool:
        assert self.engine is not None
        await put(self.engine, "opt_in")
        return True


async def test_a_recipient_who_has_just_opted_in_gets_the_message(
    engine: AsyncEngine, make_ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    result = await result_of(make_ledger("open"), driver, gateway, released(), OptedInOnly, Catching(engine=engine))
    assert outcome_of(result)[0] == "sent"


async def test_a_missing_opt_in_defers_the_delivery_while_changes_of_consent_are_unread(
    engine: AsyncEngine, make_ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    """It goes back to the pacer, which releases it again."""
    behind = FakeProgress(behind=1_000_000)
    result = await result_of(make_ledger("open"), driver, gateway, released(), OptedInOnly, behind, wait_seconds=0.05)
    assert (outcome_of(result)[0], gateway.calls) == ("deferred", [])


async def test_a_delivery_in_doubt_is_looked_up_and_not_sent_to_a_suppressed_recipient(
    engine: AsyncEngine, make_ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    """A worker died during the call, and the recipient has opted out since."""
    dead = make_ledger("open", "worker-dead", lease_seconds=0)
    await begin_calls(dead, *(await dead.take_in(batch_of(released()), FreeSlots(1))).claims)
    await put(engine, "suppression")
    (claim,) = await make_ledger("open").claim(FreeSlots(1))
    assert claim.in_doubt
    runner = _runner(make_ledger("open"), driver, FixedPackages((profile(gateway.base_url),)), FakeProgress())
    assert (outcome_of(await runner.run(claim))[0], gateway.sent) == ("suppressed", [])
