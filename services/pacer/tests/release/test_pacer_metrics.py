"""Metrics: held deliveries, and the bounds that hold them."""

from datetime import timedelta

from prometheus_client import REGISTRY

from pacer.metrics import NOTHING
from pacer.release.queue_count import QueueCounter
from pacer.testing import START, Pacer, assigned
from spreader.contract.events import OpenOptions


def shown(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_held_and_due_deliveries_are_counted(pacer: Pacer) -> None:
    later = OpenOptions(waiting_strategy="scheduled", schedule_at=START + timedelta(days=1))
    await pacer.hold(assigned(3), assigned(2, "msg_2", options=later))
    await QueueCounter(pacer.engine, pacer.clock).count()
    assert (shown("spreader_held_deliveries"), shown("spreader_due_deliveries")) == (5, 3)


async def test_a_release_is_counted_by_the_bound_that_its_profile_waited_for(pacer: Pacer) -> None:
    """Fails if the bound is that of the release itself, or if it is kept after the release."""
    loop = pacer.release_loop
    before = {bound: shown("spreader_bound_releases_total", bound=bound) for bound in (NOTHING, "gap")}
    waits = shown("spreader_bound_waits_total", bound="gap")
    await pacer.hold(assigned(2))
    while await loop.run_pass() == 0:
        pass
    assert shown("spreader_bound_releases_total", bound=NOTHING) == before[NOTHING] + 1
    assert shown("spreader_bound_waits_total", bound="gap") == waits + 1
    pacer.now += timedelta(hours=1)
    loop.clock = pacer.clock
    while await loop.run_pass() == 0:
        pass
    assert shown("spreader_bound_releases_total", bound="gap") == before["gap"] + 1
