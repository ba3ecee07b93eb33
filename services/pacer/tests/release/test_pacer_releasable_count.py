"""Releasable count: a profile counts while its next release is due and allowed, and no pacer has made it."""

from datetime import timedelta

from prometheus_client import REGISTRY

from pacer.release.releasable_count import ReleasableCounter
from pacer.testing import START, Pacer, assigned, package, waiting
from spreader.contract.events import OpenOptions


async def counted(pacer: Pacer, stale: str | None = None) -> float | None:
    await ReleasableCounter(pacer.engine, pacer.clock, lambda: stale).count()
    return REGISTRY.get_sample_value("spreader_releasable_profiles")


async def passes(pacer: Pacer) -> None:
    while await pacer.release_loop.run_pass() == 0:
        pass


async def test_a_profile_counts_until_a_pass_has_looked_at_it(pacer: Pacer) -> None:
    """A delivery that the gap or the schedule holds does not count, as more pacers would not release it earlier."""
    pacer.configure(package(profiles=3))
    later = OpenOptions(waiting_strategy="scheduled", schedule_at=START + timedelta(days=1))
    await pacer.hold(assigned(6, profiles=2), assigned(1, "msg_2", 1, options=later))
    assert await counted(pacer) == 2
    await passes(pacer)
    assert await counted(pacer) == 0
    pacer.now += timedelta(hours=1)
    assert await counted(pacer) == 2


async def test_a_paused_package_and_a_queue_without_a_profile_do_not_count(pacer: Pacer) -> None:
    pacer.configure(package(profiles=1).model_copy(update={"paused": True}))
    await pacer.hold(assigned(3), waiting(2, "msg_2"))
    assert await counted(pacer) == 1
    await passes(pacer)
    assert await counted(pacer) == 0


async def test_nothing_counts_while_the_configuration_may_be_out_of_date(pacer: Pacer) -> None:
    await pacer.hold(assigned(3))
    assert await counted(pacer, "Kafka has not answered") == 0
