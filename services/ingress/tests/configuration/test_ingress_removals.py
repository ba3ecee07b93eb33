"""Removed packages: the record of a removal, and the tombstone that ends it when nothing can be held any more."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from ingress.configuration.removals import Removals
from ingress.testing import System
from spreader.contract.events import PackageConfigured

pytestmark = pytest.mark.postgres

AGE = text("UPDATE ingress.package_gone SET removed_at = removed_at - interval '31 days'")
OLDER_INGRESS = text("""
WITH gone AS (DELETE FROM ingress.package WHERE package_id = :package_id RETURNING package_id, version)
INSERT INTO ingress.package_gone (package_id, version) SELECT package_id, version FROM gone
ON CONFLICT (package_id) DO UPDATE SET version = excluded.version""")
"""How the version before removes a package. It then publishes a tombstone."""
DELIVERY = text("""
INSERT INTO ingress.delivery (delivery_id, message_id, package_id, lane, recipient, status, stage, attempt, turn, at)
VALUES ('dlv_1', 'msg_1', 'pkg', 'open', '201000000001', 'held', 0, 1, 0, now())""")
FINISH = text("UPDATE ingress.delivery SET stage = 2, status = 'cancelled'")


def removals(system: System) -> Removals:
    return Removals(system.engine, system.clock, lambda: None)


def bodies(system: System) -> list[bool]:
    """For each record of the package that was published: whether it is a tombstone."""
    return [envelope.body is None for envelope in system.log.envelopes if envelope.topic == PackageConfigured.topic]


async def run(system: System, statement: object, **params: object) -> None:
    async with system.engine.begin() as connection:
        await connection.execute(statement, params)  # type: ignore[call-overload]


async def test_a_tombstone_follows_only_when_nothing_of_the_package_can_be_held(system: System) -> None:
    await system.package("a")
    await run(system, DELIVERY)
    await system.http.delete("/packages/pkg")
    loops = removals(system)
    await loops.forget()
    await run(system, AGE)
    await loops.forget()  # a delivery is unfinished
    await system.relay_outbox()
    assert system.snapshot().removed
    await run(system, FINISH)
    await loops.forget()
    await loops.forget()
    await system.relay_outbox()
    assert system.packages.get("pkg") is None
    assert bodies(system).count(True) == 1
    await system.package("a")
    assert system.snapshot().package.version > 3  # readers that stored the removal must not take it for an old version


async def test_a_removal_by_an_older_ingress_is_published_as_a_record(system: System) -> None:
    await system.package("a")
    version = system.snapshot().package.version
    await run(system, OLDER_INGRESS, package_id="pkg")
    assert await removals(system).announce() > 0
    await system.relay_outbox()
    removal = system.snapshot()
    assert (removal.removed, removal.package.version) == (True, version + 1)
    await removals(system).announce()
    await system.relay_outbox()
    assert len(bodies(system)) == 3  # the package, its profile, the removal


async def test_the_removal_of_a_package_that_was_made_again_is_not_published(system: System) -> None:
    await system.package("a")
    await system.http.delete("/packages/pkg")
    await run(system, text("UPDATE ingress.package_gone SET announced = NULL"))
    await system.package("a")
    await removals(system).announce()
    await system.relay_outbox()
    assert not system.snapshot().removed


async def test_packages_that_were_removed_a_short_time_ago_keep_their_record(system: System) -> None:
    await system.package("a")
    await system.http.delete("/packages/pkg")
    short = Removals(system.engine, system.clock, lambda: None, keep=timedelta(days=1))
    await short.forget()
    await system.relay_outbox()
    assert system.snapshot().removed
