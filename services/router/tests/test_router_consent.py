"""Consent in the router on a real Postgres: suppressed recipients get nothing; the others are shared out as usual."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from router.core.routing import ProfileSnapshot, assigned_event, preview, route_record
from router.open_messages import OpenMessageRouter
from router.pending_assignments import PendingAssignments
from router.postgres import RoutingStore
from router.testing import MemoryConfigCache
from spreader.consent import NOT_OPTED_IN, SUPPRESSED, ConsentFollower, ConsentTable
from spreader.contract.configuration import Gateway, Package, Profile
from spreader.contract.content import TextContent
from spreader.contract.events import (
    ConsentChanged,
    ConsentKind,
    DeliveryOutcome,
    MessageRouted,
    OpenDeliveriesAssigned,
    OpenMessageRequested,
)
from spreader.kafka.guarded_consumer import Received
from spreader.phone.canonical import person_key
from spreader.testing import FakeProgress, ManualClock, MemoryBus, NoDeduplication

NOON = datetime(2026, 2, 10, 12, tzinfo=UTC)
PEOPLE = tuple(f"2011{number:08}" for number in range(6))


def package(**settings: Any) -> Package:
    gateway = Gateway(driver="simulator", base_url="http://127.0.0.1:1", account="x")
    profiles = tuple(Profile(profile_id=each, name=each, phone="201000000001", gateway=gateway) for each in ("a", "b"))
    return Package(package_id="one", version=1, name="One", profiles=profiles, **settings)


def request(message_id: str = "m1", *people: str) -> OpenMessageRequested:
    return OpenMessageRequested(
        package_id="one", message_id=message_id, content=TextContent(type="text", text="Hello"), first_index=500,
        recipients=people or PEOPLE, requested_at=NOON, callback_partition=3,
    )  # fmt: skip


def test_suppressed_recipients_do_not_change_the_indexes_and_the_round_of_the_others() -> None:
    suppressed = {person_key(who): SUPPRESSED for who in (PEOPLE[0], PEOPLE[3], "209999999999")}
    routing, cursor = route_record(request(), package(), ProfileSnapshot(), "a", Random(1), suppressed=suppressed)
    assert routing.profiles == ("", "b", "a", "", "b", "a")
    assert (routing.distribution, cursor) == ({"a": 2, "b": 2}, "a")
    assert routing.suppressed == {PEOPLE[0]: SUPPRESSED, PEOPLE[3]: SUPPRESSED}
    places = [(each.recipient, each.index, each.profile_id) for each in assigned_event(request(), routing).deliveries]
    assert places == [(PEOPLE[1], 501, "b"), (PEOPLE[2], 502, "a"), (PEOPLE[4], 504, "b"), (PEOPLE[5], 505, "a")]


@pytest.mark.parametrize("strategy", ["round_robin", "random", "weighted", "smart"])
def test_a_record_with_only_suppressed_recipients_is_not_refused(strategy: Any) -> None:
    everybody = dict.fromkeys(map(person_key, PEOPLE), SUPPRESSED)
    routing, cursor = route_record(
        request(), package(distribution=strategy), ProfileSnapshot(), "a", Random(1), suppressed=everybody
    )
    assert (routing.distribution, routing.refused, cursor, len(routing.suppressed)) == ({}, None, "a", 6)
    assert preview(package(), ProfileSnapshot(), 0, strategy, "a", Random(1)).distribution == {}


@dataclass
class Router:
    engine: AsyncEngine
    bus: MemoryBus = field(default_factory=lambda: MemoryBus(NOON))
    config: MemoryConfigCache = field(default_factory=lambda: MemoryConfigCache(package()))
    progress: FakeProgress = field(default_factory=FakeProgress)

    async def open(self, *requests: OpenMessageRequested) -> None:
        handler = OpenMessageRouter(
            RoutingStore(self.engine), self.bus, self.config, ManualClock(NOON), PendingAssignments(), self.progress
        )  # fmt: skip
        await handler.on_requested([Received(each, each.topic, 0, place) for place, each in enumerate(requests)])

    async def change(
        self, recipient: str, package_id: str = "one", kind: ConsentKind = "suppression", listed: bool = True
    ) -> None:
        event = ConsentChanged(
            package_id=package_id, recipient=recipient, kind=kind, listed=listed, source="api", at=NOON
        )  # fmt: skip
        await ConsentFollower(self.engine, NoDeduplication(), ConsentTable("router")).on_changed(
            [Received(event, event.topic, 0, 0)]
        )

    @property
    def assigned_to(self) -> list[str]:
        return [each.recipient for event in self.bus.of(OpenDeliveriesAssigned) for each in event.deliveries]

    @property
    def outcomes(self) -> list[tuple[str, str, str | None]]:
        return [(each.recipient, each.status, each.reason) for each in self.bus.of(DeliveryOutcome)]


@pytest.fixture
def router(engine: AsyncEngine) -> Router:
    return Router(engine)


@pytest.mark.postgres
async def test_a_suppressed_recipient_gets_an_outcome_and_the_caller_their_number(router: Router) -> None:
    await router.change(PEOPLE[1])
    await router.change(PEOPLE[4], "*")
    await router.change(PEOPLE[5], "another")
    await router.open(request())
    assert router.assigned_to == [PEOPLE[0], PEOPLE[2], PEOPLE[3], PEOPLE[5]]
    assert router.outcomes == [(PEOPLE[1], "suppressed", SUPPRESSED), (PEOPLE[4], "suppressed", SUPPRESSED)]
    (routed,) = router.bus.of(MessageRouted)
    assert (routed.distribution, routed.suppressed, routed.rejected) == ({"a": 2, "b": 2}, 2, 0)


@pytest.mark.postgres
async def test_a_message_to_only_suppressed_recipients_assigns_nothing(router: Router) -> None:
    await router.change(PEOPLE[1])
    await router.open(request("m1", PEOPLE[1]))
    assert (router.assigned_to, router.outcomes) == ([], [(PEOPLE[1], "suppressed", SUPPRESSED)])
    assert router.bus.of(MessageRouted)[0].suppressed == 1


@pytest.mark.postgres
async def test_an_opted_in_only_package_sends_only_to_recipients_with_an_opt_in(router: Router) -> None:
    router.config.configure(package(opted_in_only=True))
    for recipient in PEOPLE[:3]:
        await router.change(recipient, kind="opt_in")
    await router.change(PEOPLE[0])
    await router.change(PEOPLE[1], kind="opt_in", listed=False)
    await router.open(request())
    assert router.assigned_to == [PEOPLE[2]]
    reasons = {recipient: reason for recipient, _, reason in router.outcomes}
    assert reasons == {PEOPLE[0]: SUPPRESSED, **dict.fromkeys((PEOPLE[1], *PEOPLE[3:]), NOT_OPTED_IN)}


@pytest.mark.postgres
async def test_a_decision_stays_when_the_lists_change_later(router: Router) -> None:
    await router.change(PEOPLE[0])
    await router.open(request())
    await router.change(PEOPLE[0], listed=False)
    await router.change(PEOPLE[1])
    await router.open(request())
    first, again = router.bus.of(OpenDeliveriesAssigned)
    assert again == first
    assert {each.event_id for each in router.bus.of(DeliveryOutcome)} == {router.bus.of(DeliveryOutcome)[0].event_id}


@pytest.mark.postgres
async def test_open_messages_wait_until_changes_of_consent_are_read(router: Router) -> None:
    router.progress.behind = 3
    await router.open(request())
    assert (router.progress.calls, len(router.assigned_to)) == (4, 6)
