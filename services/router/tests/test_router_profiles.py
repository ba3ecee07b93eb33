"""Profiles that are added, paused and deleted between requests: the next request uses the current ones."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from router.core.routing import ProfileSnapshot, route_record
from router.open_messages import OpenMessageRouter
from router.pending_assignments import PendingAssignments
from router.postgres import RoutingStore
from router.testing import MemoryConfigCache
from spreader.contract.configuration import Distribution, Gateway, Package, Profile
from spreader.contract.content import TextContent
from spreader.contract.events import (
    LaneState,
    MessageRouted,
    OpenDeliveriesAssigned,
    OpenDeliveriesWaiting,
    OpenMessageRequested,
    ProfileState,
)
from spreader.kafka.guarded_consumer import Received
from spreader.phone.canonical import person_key
from spreader.testing import FakeProgress, ManualClock, MemoryBus

NOON = datetime(2026, 2, 10, 12, tzinfo=UTC)


def package(*profiles: str, paused: str = "") -> Package:
    gateway = Gateway(driver="simulator", base_url="http://127.0.0.1:1", account="x")
    return Package(
        package_id="one", version=1, name="One",
        profiles=tuple(
            Profile(profile_id=each, name=each, phone="201000000001", paused=each == paused, gateway=gateway)
            for each in profiles
        ),
    )  # fmt: skip


@dataclass
class Campaign:
    """Requests of 60 recipients each, one after another, and how they were shared out."""

    engine: AsyncEngine
    distribution: Distribution
    bus: MemoryBus = field(default_factory=lambda: MemoryBus(NOON))
    config: MemoryConfigCache = field(default_factory=MemoryConfigCache)
    pending: PendingAssignments = field(default_factory=PendingAssignments)
    requests: int = 0

    async def send(self, *profiles: str, paused: str = "") -> dict[str, int]:
        self.config.configure(package(*profiles, paused=paused))
        self.requests += 1
        request = OpenMessageRequested(
            package_id="one", message_id=f"msg_{self.requests}", content=TextContent(type="text", text="Hello"),
            recipients=tuple(f"2011{self.requests:02}{number:06}" for number in range(60)), callback_partition=3,
            distribution=self.distribution, requested_at=NOON,
        )  # fmt: skip
        clock, progress = ManualClock(NOON), FakeProgress()
        handler = OpenMessageRouter(RoutingStore(self.engine), self.bus, self.config, clock, self.pending, progress)
        await handler.on_requested([Received(request, request.topic, 0, self.requests)])
        return self.bus.of(MessageRouted)[-1].distribution


@pytest.mark.postgres
@pytest.mark.parametrize("strategy", ["round_robin", "weighted"])
async def test_profiles_come_pause_and_go_between_requests(engine: AsyncEngine, strategy: Distribution) -> None:
    campaign = Campaign(engine, strategy)
    assert await campaign.send("a", "b") == {"a": 30, "b": 30}
    assert await campaign.send("a", "b", "c") == {"a": 20, "b": 20, "c": 20}
    assert await campaign.send("a", "b", "c", paused="a") == {"b": 30, "c": 30}
    assert campaign.bus.of(OpenDeliveriesAssigned)[-1].passed_over == {"a": "paused by an operator"}
    assert await campaign.send("a", "c", paused="a") == {"c": 60}
    assert await campaign.send("c", "a") == {"a": 30, "c": 30}


@pytest.mark.postgres
async def test_random_sharing_skips_paused_and_deleted_profiles(engine: AsyncEngine) -> None:
    campaign = Campaign(engine, "random")
    assert set(await campaign.send("a", "b")) == {"a", "b"}
    assert set(await campaign.send("a", "b", "c", paused="b")) == {"a", "c"}
    assert await campaign.send("c") == {"c": 60}


@pytest.mark.postgres
async def test_smart_sharing_gives_a_new_profile_the_deliveries_that_the_others_hold_already(
    engine: AsyncEngine,
) -> None:
    campaign = Campaign(engine, "smart")
    assert await campaign.send("a", "b") == {"a": 30, "b": 30}
    assert await campaign.send("a", "b", "c") == {"a": 10, "b": 10, "c": 40}
    assert await campaign.send("a", "b", "c", paused="c") == {"a": 30, "b": 30}
    assert await campaign.send("b", "c") == {"b": 15, "c": 45}


@pytest.mark.postgres
async def test_without_profiles_the_request_is_refused_and_the_round_waits(engine: AsyncEngine) -> None:
    campaign = Campaign(engine, "round_robin")
    await campaign.send("a", "b")
    assert await campaign.send() == {}
    routed = campaign.bus.of(MessageRouted)[-1]
    assert (routed.rejected, routed.waiting, "can open conversations" in (routed.reason or "")) == (60, 0, True)
    assert await campaign.send("a", "b") == {"a": 30, "b": 30}


@pytest.mark.postgres
async def test_without_a_profile_that_can_send_the_deliveries_wait_and_the_round_waits(engine: AsyncEngine) -> None:
    campaign = Campaign(engine, "round_robin")
    await campaign.send("a", "b")
    assert await campaign.send("a", paused="a") == {}
    routed = campaign.bus.of(MessageRouted)[-1]
    assert (routed.rejected, routed.waiting) == (0, 60)
    (waiting,) = campaign.bus.of(OpenDeliveriesWaiting)
    assert len({delivery.delivery_id for delivery in waiting.deliveries}) == 60
    assert (waiting.strategy, waiting.reason) == (
        "round_robin", "no profile of package one can send now (a: paused by an operator)",
    )  # fmt: skip
    assert await campaign.send("a", "b") == {"a": 30, "b": 30}


@pytest.mark.postgres
async def test_concurrent_requests_share_one_round(engine: AsyncEngine) -> None:
    """Fails when the cursor is read without its lock: several requests then begin at the same position of the round."""
    instances = [Campaign(engine, "round_robin", requests=number) for number in range(12)]
    shared = await asyncio.gather(*(each.send("a", "b", "c", "d", "e", "f", "g") for each in instances))
    counts = sum((Counter(each) for each in shared), Counter[str]())
    assert sum(counts.values()) == 12 * 60
    assert max(counts.values()) - min(counts.values()) <= 1


@given(
    strategy=st.sampled_from(["round_robin", "random", "weighted", "smart"]),
    open_lanes=st.lists(st.sampled_from(["ok", "blocked", "paused"]), min_size=1, max_size=5),
    talks_to=st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), max_size=6),
    deliveries=st.integers(1, 12),
)
def test_a_blocked_or_paused_profile_gets_no_delivery(
    strategy: Distribution, open_lanes: list[str], talks_to: list[str], deliveries: int
) -> None:
    """Fails when recipients keep a profile that is blocked or paused."""
    lanes = dict(zip("abcde", open_lanes, strict=False))
    one = package(*lanes).model_copy(update={"keep_profile_per_customer": True})
    profiles = tuple(each.model_copy(update={"paused": lanes[each.profile_id] == "paused"}) for each in one.profiles)
    blocked, fine = LaneState(state="blocked"), LaneState()
    states = {
        name: ProfileState(profile_id=name, package_id="one", open=blocked if lane == "blocked" else fine, at=NOON)
        for name, lane in lanes.items()
    }
    people = tuple(f"2011{number:08}" for number in range(deliveries))
    request = OpenMessageRequested(
        package_id="one", message_id="m", content=TextContent(type="text", text="Hello"), recipients=people,
        distribution=strategy, requested_at=NOON,
    )  # fmt: skip
    known = dict(zip(map(person_key, people), talks_to, strict=False))
    routing, _ = route_record(
        request, one.model_copy(update={"profiles": profiles}), ProfileSnapshot(states), "c", Random(1), known
    )
    may = {name for name, lane in lanes.items() if lane == "ok"}
    assert set(routing.profiles) <= may
    assert len(routing.profiles) == (deliveries if may else 0)
    assert (routing.waiting is None, routing.refused) == (bool(may), None)
