"""Republication: a new Kafka cluster gets all packages, removals and consents again, each of them once."""

from collections import Counter

import pytest

from ingress.configuration import republication
from ingress.configuration.registry import Registry
from ingress.configuration.removals import Removals
from ingress.configuration.republication import Republication
from ingress.consent.consent_lists import ConsentLists
from ingress.testing import System
from spreader.contract.events import ConsentChanged, PackageConfigured
from spreader.kafka.envelope import decode

pytestmark = pytest.mark.postgres

RECIPIENTS = [f"2010000000{number:02}" for number in range(7)]


async def published_on(system: System, cluster: str | None) -> tuple[Counter[tuple[str, int, bool]], Counter[str]]:
    """What is published when this cluster answers: packages with version and whether removed, and consents."""
    system.log.envelopes.clear()
    consents_before = len(system.bus.of(ConsentChanged))
    registry = Registry(system.engine, system.clock, lambda: None)
    await Republication(system.engine, registry, lambda: cluster).run_once()
    await Removals(system.engine, system.clock, lambda: None).announce()
    await system.relay_outbox()
    while await ConsentLists(system.engine, system.bus, system.clock).publish_left_over() == 0:
        pass
    packages: Counter[tuple[str, int, bool]] = Counter()
    for envelope in system.log.envelopes:
        if envelope.topic == PackageConfigured.topic:
            assert envelope.body is not None
            event = decode(envelope.topic, envelope.headers, envelope.body)
            assert isinstance(event, PackageConfigured)
            packages[event.package.package_id, event.package.version, event.removed] += 1
    consents = system.bus.of(ConsentChanged)[consents_before:]
    return packages, Counter(f"{event.recipient} {event.kind} {event.listed}" for event in consents)


async def age_consents(system: System) -> None:
    """Changes are published by the loop only some seconds after their request."""
    async with system.engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE ingress.consent SET changed_at = changed_at - interval '1 hour'")


async def test_a_new_cluster_gets_everything_once_and_a_known_one_nothing(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(republication, "PACKAGES_AT_ONCE", 2)
    monkeypatch.setattr(republication, "CONSENTS_AT_ONCE", 3)
    for number in range(3):
        await system.package("a" if number == 0 else f"a{number}", package_id=f"pkg{number}")
    await system.package(package_id="gone")
    await system.http.delete("/packages/gone")
    await system.http.post("/packages/pkg0/suppressions", json={"recipients": RECIPIENTS})
    await system.http.delete(f"/packages/pkg0/suppressions/{RECIPIENTS[0]}")
    await age_consents(system)
    assert await published_on(system, None) == (Counter(), Counter())
    packages = Counter({("pkg0", 2, False): 1, ("pkg1", 2, False): 1, ("pkg2", 2, False): 1, ("gone", 2, True): 1})
    consents = Counter(f"{recipient} suppression {recipient != RECIPIENTS[0]}" for recipient in RECIPIENTS)
    assert await published_on(system, "first") == (packages, consents)
    assert await published_on(system, "first") == (Counter(), Counter())
    assert await published_on(system, "second") == (packages, consents)
    assert await published_on(system, "first") == (packages, consents)  # it may be old and empty by now
