"""Count store, handlers and state publisher on a real Postgres: counted exactly once, with rolling windows."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.contract.events import Counts, CustomerMessage, DeliveryOutcome, Lane, PackageConfigured, Status, Windows
from spreader.kafka.bus import PublishFailed
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.offset_store import OffsetStore
from spreader.runtime.retention import Retention
from spreader.testing import ManualClock
from stats.core.tally import count_contacts, count_outcomes
from stats.core.windows import WindowStarts
from stats.counting.handlers import CountingHandlers
from stats.counting.retention import old_rows
from stats.counting.store import CountStore
from stats.testing import StatsHarness, closures_of_each_profile, package, profile

pytestmark = pytest.mark.postgres

NOON = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ONE = Counts(sent=1, sent_open=1, new_contacts=1, unanswered=1)


@pytest.fixture
def store(engine: AsyncEngine) -> CountStore:
    return CountStore(engine, OffsetStore("stats", "cluster"))


@pytest.fixture
def touched() -> set[str]:
    return set()


@pytest.fixture
def counting(store: CountStore, touched: set[str]) -> CountingHandlers:
    return counted_by(store, touched.update)


def counted_by(store: CountStore, touch: Callable[[Iterable[str]], None]) -> CountingHandlers:
    return CountingHandlers(store, closures_of_each_profile(), ManualClock(NOON), touch, touch)


def sent(
    number: int,
    at: datetime = NOON,
    status: Status = "sent",
    lane: Lane = "open",
    offset: int | None = None,
    partition: int = 0,
    to: str = "201001234567",
) -> Received[DeliveryOutcome]:
    event = DeliveryOutcome(
        package_id="shop", message_id="msg_1", delivery_id=f"dlv_{number}", recipient=to, lane=lane,
        status=status, at=at, profile_id="sales",
    )  # fmt: skip
    return Received(event, event.topic, partition, number if offset is None else offset)


def written(number: int, offset: int, partition: int = 0) -> Received[CustomerMessage]:
    event = CustomerMessage(
        package_id="shop", profile_id="sales", recipient="201001234567", gateway_message_id=f"wamid.{number}", at=NOON
    )
    return Received(event, event.topic, partition, offset)


async def windows(store: CountStore, now: datetime = NOON) -> Windows:
    return (await store.windows(["sales"], WindowStarts.at(now))).get("sales", Windows())


async def test_a_batch_repeated_after_a_crash_before_the_offset_commit_counts_once(
    counting: CountingHandlers, store: CountStore, touched: set[str]
) -> None:
    batch = [sent(0), sent(1), sent(2, status="failed"), sent(3, lane="reply"), sent(4, status="unknown")]
    await counting.on_outcomes(batch)
    await counting.on_outcomes(batch)
    assert (await windows(store)).hour == Counts(sent=3, sent_open=2, failed=1, new_contacts=1, unanswered=1)
    assert touched == {"sales"}


async def test_an_event_published_twice_counts_once(counting: CountingHandlers, store: CountStore) -> None:
    await counting.on_outcomes([sent(1, offset=0), sent(1, offset=1)])
    await counting.on_outcomes([sent(1, offset=2), sent(1, offset=0, partition=3), sent(1, status="read", offset=3)])
    await counting.on_customer_messages([written(1, 0), written(1, 1), written(2, 2)])
    await counting.on_customer_messages([written(2, 0, partition=5), written(3, 3)])
    assert (await windows(store)).hour == Counts(
        sent=1, sent_open=1, acknowledged=1, delivered=1, read=1, received=3, new_contacts=1, unanswered=1
    )


async def test_concurrent_handlers_count_every_event_once(engine: AsyncEngine, store: CountStore) -> None:
    """The same deliveries from two partitions in opposite orders, twice each, with customers' messages in between."""
    counting = counted_by(CountStore(engine, OffsetStore("stats", "cluster")), set[str]().update)
    to = [f"2010022{each:05}" for each in range(40)]
    forward = [sent(each, NOON + each * MINUTE, offset=each, to=to[each]) for each in range(40)]
    backward = [
        sent(each, NOON + each * MINUTE, offset=40 - each, partition=1, to=to[each]) for each in reversed(range(40))
    ]
    messages = [written(each, each) for each in range(40)]
    await asyncio.gather(
        counting.on_outcomes(forward), counting.on_outcomes(backward), counting.on_customer_messages(messages),
        counting.on_outcomes(backward), counting.on_outcomes(forward), counting.on_customer_messages(messages),
    )  # fmt: skip
    assert (await windows(store, NOON + 40 * MINUTE)).hour == Counts(
        sent=40, sent_open=40, received=40, new_contacts=40, unanswered=40
    )


async def test_a_failed_transaction_changes_nothing(counting: CountingHandlers, store: CountStore) -> None:
    async def broken() -> None:
        async with store.begin() as transaction:
            new = await transaction.new_events([sent(1)])
            await transaction.save(count_contacts(count_outcomes(new, {}), {}))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await broken()
    await counting.on_outcomes([sent(1)])
    assert (await windows(store)).hour == ONE


async def test_a_count_leaves_each_window_on_time(counting: CountingHandlers, store: CountStore) -> None:
    await counting.on_outcomes([sent(1)])
    spans = {"hour": 60, "two_hours": 120, "three_hours": 180, "day": 1440, "week": 10_080}
    moments = [-1, 0, *(end - 1 for end in spans.values()), *spans.values()]
    for minutes in moments:
        rolled = await windows(store, NOON + minutes * MINUTE)
        seen = {span: getattr(rolled, span) for span in spans}
        assert seen == {span: ONE if 0 <= minutes < end else Counts() for span, end in spans.items()}, minutes


async def test_minutes_are_deleted_after_two_weeks_of_system_time(
    counting: CountingHandlers, store: CountStore
) -> None:
    await counting.on_outcomes([sent(1), sent(2, NOON + timedelta(days=13))])
    now = ManualClock(NOON + timedelta(days=14, minutes=1))
    retention = Retention(store.engine, now, lambda: old_rows(timedelta(days=731)))
    assert await retention.delete_old(10_000) < 10_000
    assert await windows(store) == Windows()
    assert (await windows(store, NOON + timedelta(days=13))).hour == Counts(sent=1, sent_open=1)


async def test_a_receipt_counts_nothing_when_its_delivery_is_deleted(
    counting: CountingHandlers, store: CountStore
) -> None:
    await counting.on_outcomes([sent(1)])
    async with store.engine.begin() as connection:
        await connection.execute(text("UPDATE stats.delivery SET noted_at = now() - interval '36 days'"))
    now = NOON + timedelta(days=36)
    retention = Retention(store.engine, ManualClock(NOON), lambda: old_rows(timedelta(days=731)))
    await retention.delete_old(10_000)
    receipt = sent(1, now, "read", offset=2)
    late = replace(receipt, event=receipt.event.model_copy(update={"sent_at": NOON}))
    await counting.on_outcomes([late])
    assert await windows(store, now) == Windows()


@pytest.fixture
def harness(engine: AsyncEngine) -> StatsHarness:
    return StatsHarness(engine, NOON, SHOP)


SHOP = package("shop", profile("sales"), profile("idle"))


async def published_counts(harness: StatsHarness) -> dict[str, int]:
    """Messages sent within the hour, of each profile that this turn publishes."""
    return {state.profile_id: state.windows.hour.sent for state in await harness.publish()}


async def test_a_state_is_published_when_it_changes_and_when_its_counts_age(harness: StatsHarness) -> None:
    story = [await published_counts(harness), await published_counts(harness)]
    await harness.handlers.on_outcomes([sent(1), sent(2)])
    story += [await published_counts(harness), await published_counts(harness)]
    harness.clock.forward(59 * MINUTE)
    story.append(await published_counts(harness))
    harness.clock.forward(MINUTE)
    story += [await published_counts(harness), await published_counts(harness)]
    assert story == [{"sales": 0, "idle": 0}, {}, {"sales": 2}, {}, {}, {"sales": 0}, {}]


async def test_an_unpublished_state_is_published_in_a_later_turn(harness: StatsHarness) -> None:
    await published_counts(harness)
    await harness.handlers.on_outcomes([sent(1)])
    harness.bus.away = True
    with pytest.raises(PublishFailed):
        await harness.publisher.turn()
    harness.bus.away = False
    assert [await published_counts(harness), await published_counts(harness)] == [{"sales": 1}, {}]


async def test_a_new_process_publishes_what_another_counted_but_did_not_publish(engine: AsyncEngine) -> None:
    await StatsHarness(engine, NOON, SHOP).handlers.on_outcomes([sent(1)])
    assert await published_counts(StatsHarness(engine, NOON, SHOP)) == {"sales": 1, "idle": 0}


async def test_a_profile_that_is_configured_later_is_published_within_the_same_minute(harness: StatsHarness) -> None:
    harness.packages.set("shop", None)
    first = await published_counts(harness)
    harness.packages.set("shop", PackageConfigured(package=SHOP, at=NOON))
    assert [first, await published_counts(harness)] == [{}, {"sales": 0, "idle": 0}]
