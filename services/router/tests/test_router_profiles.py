"""Profiles that come, pause and go between requests: the next request knows it, and shares out among who is there."""

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
    OpenMessageRequested,
    ProfileState,
)
from spreader.kafka.guarded_consumer import Received
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
    """Requests of 60 recipients each, one after the other; what they were shared as."""

    engine: AsyncEngine
    distribution: Distribution
    bus: MemoryBus = field(default_factory=lambda: MemoryBus(NOON))
    config: MemoryConfigCache = field(default_factory=MemoryConfigCache)
    assigned: PendingAssignments = field(default_factory=PendingAssignments)
    requests: int = 0

    async def goes_on(self, *profiles: str, paused: str = "") -> dict[str, int]:
        self.config.configure(package(*profiles, paused=paused))
        self.requests += 1
        request = OpenMessageRequested(
            package_id="one", message_id=f"msg_{self.requests}", content=TextContent(type="text", text="Hello"),
            recipients=tuple(f"2011{self.requests:02}{number:06}" for number in range(60)), callback_partition=3,
            distribution=self.distribution, requested_at=NOON,
        )  # fmt: skip
        clock, progress = ManualClock(NOON), FakeProgress()
        handler = OpenMessageRouter(RoutingStore(self.engine), self.bus, self.config, clock, self.assigned, progress)
        await handler.on_requested([Received(request, request.topic, 0, self.requests)])
        return self.bus.of(MessageRouted)[-1].distribution


@pytest.mark.postgres
@pytest.mark.parametrize("strategy", ["round_robin", "weighted"])
async def test_profiles_come_pause_and_go_between_requests(engine: AsyncEngine, strategy: Distribution) -> None:
    campaign = Campaign(engine, strategy)
    assert await campaign.goes_on("a", "b") == {"a": 30, "b": 30}
    assert await campaign.goes_on("a", "b", "c") == {"a": 20, "b": 20, "c": 20}
    assert await campaign.goes_on("a", "b", "c", paused="a") == {"b": 30, "c": 30}
    assert campaign.bus.of(OpenDeliveriesAssigned)[-1].passed_over == {"a": "paused by an operator"}
    assert await campaign.goes_on("a", "c", paused="a") == {"c": 60}
    assert await campaign.goes_on("c", "a") == {"a": 30, "c": 30}


@pytest.mark.postgres
async def test_by_chance_too_nobody_gets_anything_who_has_paused_or_gone(engine: AsyncEngine) -> None:
    campaign = Campaign(engine, "random")
    assert set(await campaign.goes_on("a", "b")) == {"a", "b"}
    assert set(await campaign.goes_on("a", "b", "c", paused="b")) == {"a", "c"}
    assert await campaign.goes_on("c") == {"c": 60}


@pytest.mark.postgres
async def test_smart_gives_who_is_new_what_the_others_have_already(engine: AsyncEngine) -> None:
    campaign = Campaign(engine, "smart")
    assert await campaign.goes_on("a", "b") == {"a": 30, "b": 30}
    assert await campaign.goes_on("a", "b", "c") == {"a": 10, "b": 10, "c": 40}
    assert await campaign.goes_on("a", "b", "c", paused="c") == {"a": 30, "b": 30}
    assert await campaign.goes_on("b", "c") == {"b": 15, "c": 45}


@pytest.mark.postgres
@pytest.mark.parametrize("profiles", [("a",), ()])
async def test_where_nobody_is_left_the_request_is_refused_and_the_round_waits(
    engine: AsyncEngine, profiles: tuple[str, ...]
) -> None:
    campaign = Campaign(engine, "round_robin")
    await campaign.goes_on("a", "b")
    assert await campaign.goes_on(*profiles, paused="a") == {}
    told = campaign.bus.of(MessageRouted)[-1]
    assert (told.rejected, "can open conversations" in (told.reason or "")) == (60, True)
    assert await campaign.goes_on("a", "b") == {"a": 30, "b": 30}


@pytest.mark.postgres
async def test_requests_at_once_share_one_round(engine: AsyncEngine) -> None:
    """Dies when the cursor is read without its lock: then several requests begin at the same place of the round."""
    instances = [Campaign(engine, "round_robin", requests=number) for number in range(12)]
    shared = await asyncio.gather(*(each.goes_on("a", "b", "c", "d", "e", "f", "g") for each in instances))
    counts = sum((Counter(each) for each in shared), Counter[str]())
    assert sum(counts.values()) == 12 * 60
    assert max(counts.values()) - min(counts.values()) <= 1


@given(
    strategy=st.sampled_from(["round_robin", "random", "weighted", "smart"]),
    open_lanes=st.lists(st.sampled_from(["ok", "blocked", "paused"]), min_size=1, max_size=5),
    talks_to=st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), max_size=6),
    deliveries=st.integers(1, 12),
)
def test_nobody_gets_anything_who_is_blocked_or_paused(
    strategy: Distribution, open_lanes: list[str], talks_to: list[str], deliveries: int
) -> None:
    """Dies when those who talk to a profile are left with it whatever its state."""
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
    known = dict(zip(people, talks_to, strict=False))
    routing, _ = route_record(
        request, one.model_copy(update={"profiles": profiles}), ProfileSnapshot(states), 3, Random(1), known
    )
    may = {name for name, lane in lanes.items() if lane == "ok"}
    assert set(routing.profiles) <= may
    assert len(routing.profiles) == (deliveries if may else 0)
    assert (routing.refused is None) == bool(may)
