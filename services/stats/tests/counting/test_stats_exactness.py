"""Exactness: with readers killed at random and repeated records, the counts equal a plain recount."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.contract.events import CustomerMessage, DeliveryOutcome
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.offset_store import OffsetStore
from spreader.testing import ManualClock
from stats.api.sql_history import COUNTED, history, stream_rows
from stats.core.report_range import ReportRange
from stats.core.sums import hour_of, minute_of
from stats.core.windows import WindowStarts
from stats.counting.handlers import CountingHandlers
from stats.counting.store import CountStore
from stats.testing import closures_of_each_profile, customer_message, outcome

pytestmark = pytest.mark.postgres

NOON = datetime(2026, 3, 8, 12, tzinfo=UTC)
PROFILES = ("a", "b", "c")
DELIVERIES, PARTITIONS, BATCH_MAX = 700, 6, 60
KILLED_SHARE, DOUBLED_SHARE = 0.3, 0.2
SPANS = {"hour": 60, "two_hours": 120, "three_hours": 180, "day": 1440, "week": 10_080}

Fact = DeliveryOutcome | CustomerMessage


def make_story(chance: random.Random, number: int) -> list[Fact]:
    """The events of one delivery, in order. Its recipient is new and has no other delivery."""
    at = NOON - timedelta(minutes=chance.randrange(10_300))
    place = {"profile_id": chance.choice(PROFILES), "lane": chance.choice(["open", "open", "reply"])}
    facts: list[Fact] = []
    if chance.random() < 0.2:
        facts.append(outcome(number, "deferred", at, failure="throttled", **place))
    if chance.random() < 0.1:
        return [*facts, outcome(number, "failed", at + timedelta(minutes=1), failure="recipient", **place)]
    statuses = ["sent", "acknowledged", "delivered", "read"][: chance.randint(1, 4)]
    if statuses[-1] != "sent" and chance.random() < 0.2:
        statuses.pop(-2 if len(statuses) > 2 else 1)  # a lost receipt, which the next one implies
    for status in statuses:
        facts.append(outcome(number, status, at, **place))
        at += timedelta(minutes=chance.randrange(30))
    if chance.random() < 0.3:
        facts.append(customer_message(number, at + timedelta(seconds=1), place["profile_id"]))
    return facts


@dataclass
class Topic:
    """Partitions with their committed offsets, which are behind the counts where a reader was killed."""

    logs: list[list[Fact]]
    committed: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.committed = [0] * len(self.logs)

    def batch(self, partition: int, size: int) -> Sequence[Received[Any]]:
        first = self.committed[partition]
        facts = self.logs[partition][first : first + size]
        return [Received(each, each.topic, partition, first + place) for place, each in enumerate(facts)]

    def done(self, partition: int) -> bool:
        return self.committed[partition] >= len(self.logs[partition])


def make_topic(chance: random.Random, stories: list[list[Fact]], kind: type[Fact]) -> Topic:
    """A topic of the stories: interleaved, each in its own order and partition, with some records repeated."""
    logs: list[list[Fact]] = [[] for _ in range(PARTITIONS)]
    left = [[each for each in story if isinstance(each, kind)] for story in stories]
    order = [number for number, story in enumerate(left) for _ in story]
    chance.shuffle(order)
    for number in order:
        fact = left[number].pop(0)
        log = logs[number % PARTITIONS]
        log.append(fact)
        if chance.random() < DOUBLED_SHARE:
            log.append(fact)
        if chance.random() < DOUBLED_SHARE:
            log.append(chance.choice(log))
    return Topic(logs)


async def read(counting: CountingHandlers, topics: Sequence[Topic], chance: random.Random) -> int:
    """One process reads everything. It is killed at random times, and continues from the committed offsets."""
    killed = 0
    places = [(topic, partition) for topic in topics for partition in range(PARTITIONS)]
    while left := [place for place in places if not place[0].done(place[1])]:
        topic, partition = chance.choice(left)
        batch = topic.batch(partition, chance.randint(1, BATCH_MAX))
        handle = counting.on_outcomes if isinstance(batch[0].event, DeliveryOutcome) else counting.on_customer_messages
        task = asyncio.ensure_future(handle(batch))
        if chance.random() < KILLED_SHARE:
            killed += 1
            await asyncio.wait([task], timeout=chance.random() * 0.03)
            task.cancel()
            await asyncio.gather(
                task, return_exceptions=True
            )  # it may have committed its transaction, but not its offsets
        else:
            await task
            topic.committed[partition] = max(topic.committed[partition], batch[-1].offset + 1)
    return killed


LADDER = ("sent", "acknowledged", "delivered", "read")
Counted = Counter[tuple[str, datetime, str]]
"""By profile, minute and count."""


def recounted(stories: list[list[Fact]]) -> Counted:
    """The same counts by a simpler method: story by story, without marks and contacts."""
    counted: Counted = Counter()
    for story in stories:
        reached, opened = -1, None
        for fact in story:
            assert fact.profile_id is not None
            profile, minute = fact.profile_id, minute_of(fact.at)
            if isinstance(fact, CustomerMessage):
                counted[profile, minute, "received"] += 1
                if opened is not None:
                    counted[profile, minute, "answered"] += 1
                    counted[profile, opened, "unanswered"] -= 1
            elif fact.status in LADDER:
                for step in LADDER[reached + 1 : LADDER.index(fact.status) + 1]:
                    counted[profile, minute, step] += 1
                if reached < 0 and fact.lane == "open":
                    opened = minute
                    for name in ("sent_open", "new_contacts", "unanswered"):
                        counted[profile, minute, name] += 1
                reached = max(reached, LADDER.index(fact.status))
            else:
                counted[profile, minute, f"class {fact.failure}"] += 1
                counted[profile, minute, "failed"] += fact.status == "failed"
    return counted


def summed(counted: Counted, profile: str | None, after: datetime, until: datetime) -> dict[str, Any]:
    """The sums of one profile or all, in the minutes after `after` up to `until`."""
    total: Counter[str] = Counter()
    for (whose, minute, name), number in counted.items():
        if profile in (None, whose) and after < minute <= until:
            total[name] += number
    classes = {name.removeprefix("class "): number for name, number in total.items() if name[:6] == "class "}
    return {**{name: total[name] for name in COUNTED}, "failures": classes}


@pytest.mark.parametrize("seed", range(2))
async def test_every_window_equals_a_recount_despite_kills_and_repeated_records(engine: AsyncEngine, seed: int) -> None:
    chance = random.Random(seed)
    stories = [make_story(chance, number) for number in range(DELIVERIES)]
    topics = [make_topic(chance, stories, kind) for kind in (DeliveryOutcome, CustomerMessage)]
    store = CountStore(engine, OffsetStore("stats", "cluster"))
    counting = CountingHandlers(store, closures_of_each_profile(), ManualClock(NOON), lambda _: None, lambda _: None)
    killed = await read(counting, topics, chance)
    assert killed > 20
    counted = recounted(stories)
    for now in (NOON, NOON - timedelta(hours=7, minutes=11)):
        windows = await store.windows(PROFILES, WindowStarts.at(now))
        for profile in PROFILES:
            for span, minutes in SPANS.items():
                expected = summed(counted, profile, minute_of(now) - timedelta(minutes=minutes), minute_of(now))
                assert getattr(windows[profile], span).model_dump() == expected, (profile, span)
    whole = ReportRange(NOON - timedelta(days=8), NOON + timedelta(days=1), "hour", "UTC")
    statement, parameters = history(whole, "shop", None, None, each_profile=False, limit=100_000)
    hours = {row["at"]: row async for row in stream_rows(engine, statement, parameters)}
    for hour in {hour_of(minute) for _, minute, _ in counted}:
        before = hour - timedelta(minutes=1)
        expected = summed(counted, None, before, hour + timedelta(minutes=59))
        assert {name: hours[hour][name] for name in COUNTED} == {name: expected[name] for name in COUNTED}, hour


def test_the_recount_notices_a_record_that_is_counted_twice() -> None:
    """Proves that the comparison can fail."""
    story = make_story(random.Random(1), 1)
    once, twice = recounted([story]), recounted([story, story])
    assert once != twice
