"""Router and pacer together: deliveries that no profile can send wait, and are shared out when profiles can send."""

from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from sqlalchemy import text

from local.testbed.databases import MigratedDatabases
from pacer.core.policy import Margins
from pacer.release.maintenance import QueueMaintenance
from pacer.testing import START, MemoryPacerConfigCache, Pacer, package, received
from router.open_messages import OpenMessageRouter
from router.pending_assignments import PendingAssignments
from router.postgres import RoutingStore
from router.reassignment import Reassignment
from router.testing import MemoryConfigCache
from spreader.contract.configuration import Package, ProfileLimits
from spreader.contract.content import TextContent
from spreader.contract.events import (
    DeliveryOutcome,
    DeliveryReleased,
    DeliveryReturned,
    LaneState,
    MessageRouted,
    OpenDeliveriesAssigned,
    OpenDeliveriesWaiting,
    OpenMessageRequested,
    OpenOptions,
    ProfileState,
)
from spreader.testing import FakeProgress, ManualClock, MemoryBus

pytestmark = pytest.mark.postgres

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
PROFILES = ("p0", "p1", "p2", "p3")


@dataclass
class RouterAndPacer:
    """Both services over the same configuration and states; each gets the events of the other."""

    pacer: Pacer
    store: RoutingStore
    package: Package
    bus: MemoryBus = field(default_factory=lambda: MemoryBus(START))
    config: MemoryConfigCache = field(default_factory=MemoryConfigCache)
    pending: PendingAssignments = field(default_factory=PendingAssignments)
    sent_to_pacer: int = 0
    sent_to_router: int = 0

    def configure(self, one: Package) -> None:
        self.package = one
        self.config.configure(one)
        self.pacer.configure(one)

    def set_lanes(self, state: LaneState, *profiles: str) -> None:
        """Publish the state of these profiles to both services."""
        for profile_id in profiles:
            event = ProfileState(profile_id=profile_id, package_id="one", open=state, at=self.pacer.now)
            assert isinstance(self.config.states, dict)
            self.config.states[profile_id] = event
            self.pacer.config.set_state(event)
            self.pacer.rescheduler.on_state_changed("one", profile_id, self.pacer.config.can_send(event))

    async def request(self, *requests: OpenMessageRequested) -> None:
        clock = ManualClock(self.pacer.now)
        router = OpenMessageRouter(self.store, self.bus, self.config, clock, self.pending, FakeProgress())
        await router.on_requested(received(*requests))
        await self.exchange()

    async def exchange(self) -> None:
        """Let both services act until neither has anything for the other."""
        router = Reassignment(self.store, self.bus, self.config, self.pacer.clock, self.pending)
        while True:
            events = self.bus.published[self.sent_to_pacer :]
            self.sent_to_pacer = len(self.bus.published)
            held = [event for event in events if isinstance(event, OpenDeliveriesAssigned | OpenDeliveriesWaiting)]
            if held:
                await self.pacer.hold(*held)
            self.pacer.now += SECOND
            await self.pacer.release()
            returned = self.pacer.bus.of(DeliveryReturned)[self.sent_to_router :]
            self.sent_to_router += len(returned)
            if returned:
                await router.on_returned(received(*returned))
            elif not held:
                return

    async def queues(self) -> Counter[str]:
        """How many deliveries each profile has, released ones included. `*one`: without a profile."""
        async with self.pacer.engine.connect() as connection:
            rows = await connection.execute(text("SELECT profile_id, count(*) FROM pacer.delivery GROUP BY profile_id"))
            return Counter({row[0]: row[1] for row in rows})


@pytest.fixture
async def system(databases: MigratedDatabases) -> AsyncGenerator[RouterAndPacer]:
    config = MemoryPacerConfigCache(Margins(timedelta(minutes=2), timedelta(minutes=1)))
    async with databases.of("router") as router_engine, databases.of("pacer") as pacer_engine:
        pacer = Pacer(pacer_engine, config, MemoryBus(START))
        both = RouterAndPacer(pacer, RoutingStore(router_engine), package())
        both.configure(package(profiles=4, limits=ProfileLimits(per_hour=20, per_day=100)))
        yield both


CLOSED, OPEN = LaneState(state="blocked", cause="its health is 31"), LaneState()


def requests(count: int, options: OpenOptions | None = None) -> list[OpenMessageRequested]:
    return [
        OpenMessageRequested(
            package_id="one",
            message_id="msg_1",
            content=TextContent(type="text", text="Hello"),
            recipients=tuple(f"2011{number:08}" for number in range(first, min(first + 500, count))),
            first_index=first,
            total=count,
            options=options or OpenOptions(),
            requested_at=START,
            callback_partition=3,
        )
        for first in range(0, count, 500)
    ]


async def test_deliveries_of_hours_without_an_open_lane_are_sent_later_by_all_profiles(system: RouterAndPacer) -> None:
    """Seen: when health had closed all open lanes for some hours, 3,147 accepted deliveries were rejected."""
    system.set_lanes(CLOSED, *PROFILES)
    await system.request(*requests(3_147))
    routed = system.bus.of(MessageRouted)
    assert (sum(each.waiting for each in routed), sum(each.rejected for each in routed)) == (3_147, 0)
    assert await system.queues() == {"*one": 3_147}
    system.pacer.now += 6 * HOUR
    await system.exchange()
    assert await system.queues() == {"*one": 3_147}

    system.set_lanes(OPEN, "p2")  # the first one that can send gets a day's work, not everything
    await system.exchange()
    assert await system.queues() == {"*one": 3_047, "p2": 100}
    system.pacer.now += HOUR / 2
    system.set_lanes(OPEN, "p0", "p1", "p3")
    await system.exchange()
    shares = await system.queues()
    assert shares.total() == 3_147
    assert shares["*one"] == 0
    given = [count - 100 if profile == "p2" else count for profile, count in shares.items() if count]
    assert max(given) - min(given) <= 1  # round robin
    assert system.bus.of(DeliveryOutcome) == []
    assert {delivery.profile_id for delivery in (await system.pacer.release())} <= set(PROFILES)
    assert Counter(await system.pacer.states()).total() == 3_147


async def test_all_that_waited_is_sent_within_its_expiry_and_the_rest_expires(system: RouterAndPacer) -> None:
    system.set_lanes(CLOSED, *PROFILES)
    await system.request(*requests(24, OpenOptions(expires_at=START + 72 * HOUR)))
    system.pacer.now += 6 * HOUR
    system.set_lanes(OPEN, *PROFILES)
    await system.exchange()
    while system.pacer.now < START + 72 * HOUR and await system.pacer.states() != {"settled": 24}:
        await system.pacer.release()
        await system.pacer.report("sent", *system.pacer.bus.of(DeliveryReleased))
        system.pacer.now += timedelta(minutes=20)
    sent = Counter(release.delivery_id for release in system.pacer.bus.of(DeliveryReleased))
    assert (len(sent), sent.total()) == (24, 24)
    system.set_lanes(CLOSED, *PROFILES)
    await system.request(
        *(each.model_copy(update={"message_id": "msg_2"}) for each in requests(5, OpenOptions(expires_at=START)))
    )
    await QueueMaintenance(system.pacer.engine, system.pacer.clock, lambda: None).expire()
    await system.pacer.relay()
    assert Counter(await system.pacer.states()) == {"settled": 24, "expired": 5}


async def test_a_backup_gets_deliveries_only_while_no_other_profile_can_send_and_keeps_them(
    system: RouterAndPacer,
) -> None:
    regular, backup = system.package.profiles[:2]
    two = (regular, backup.model_copy(update={"backup": True}))
    system.configure(system.package.model_copy(update={"profiles": two}))
    await system.request(*requests(4))
    assert await system.queues() == {"p0": 4}
    system.configure(
        system.package.model_copy(update={"profiles": (two[0].model_copy(update={"paused": True}), two[1])})
    )
    await system.request(*(each.model_copy(update={"message_id": "msg_2"}) for each in requests(4)))
    assert await system.queues() == {"p0": 4, "p1": 4}
    system.configure(system.package.model_copy(update={"profiles": two}))
    await system.request(*(each.model_copy(update={"message_id": "msg_3"}) for each in requests(4)))
    assert await system.queues() == {"p0": 8, "p1": 4}


async def test_the_last_profile_of_a_delivery_is_waited_for(system: RouterAndPacer) -> None:
    """A delivery that one profile could not send is not failed while another one is only paused."""
    first, second = system.package.profiles[:2]
    paused = second.model_copy(update={"paused": True})
    system.configure(system.package.model_copy(update={"profiles": (first, paused)}))
    returned = DeliveryReturned(
        package_id="one", message_id="msg_1", delivery_id="dlv_1", recipient="201100000001", lane="open",
        content=TextContent(type="text", text="Hello"), attempt=1, tried=("p0",), reason="blocked", requested_at=START,
    )  # fmt: skip
    router = Reassignment(system.store, system.bus, system.config, system.pacer.clock, system.pending)
    await router.on_returned(received(returned))
    await system.exchange()
    assert await system.queues() == {"*one": 1}
    system.configure(system.package.model_copy(update={"profiles": (first, second)}))
    await system.exchange()
    assert await system.queues() == {"p1": 1}
