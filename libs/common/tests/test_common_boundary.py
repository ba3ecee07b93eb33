"""Boundary on real Kafka: what is hopeless is buried, what may pass comes again, and nothing is lost on the way."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest
from kafka_post import TOPIC, Headers, Post, alert

from spreader.contract.events import Alert, MessageCancelled
from spreader.kafka.bus import PublishFailed
from spreader.kafka.guarded_consumer import Received

pytestmark = pytest.mark.kafka

WHOLE: Headers = [("ce_id", b"alr_9"), ("ce_type", Alert.type.encode())]
HOPELESS: list[tuple[str, bytes | None, Headers, str]] = [
    ("garbage", b"\x00\xff garbage", WHOLE, "body: Invalid JSON"),
    ("garbage that says it is JSON", b"{", [*WHOLE, ("content-type", b"application/json")], "body: Invalid JSON"),
    ("no headers", b"{}", [], "`ce_id` is missing"),
    ("an unknown type", b"{}", [("ce_id", b"1"), ("ce_type", b"spreader.alert.v9")], "does not know"),
    ("an event of another topic", b"{}", [("ce_id", b"1"), ("ce_type", MessageCancelled.type.encode())], "belongs to"),
    ("a wrong shape", b'{"alert_id": 7}', WHOLE, "profile_id: Field required"),
    ("headers that are no text", b"{}", [("ce_id", b"\xff"), ("ce_type", b"\xfe\xff")], "does not know"),
    ("no body", None, WHOLE, "has no body"),
    ("nearly a megabyte", b"x" * 1_000_000, WHOLE, "body: Invalid JSON"),
]


class Clerk:
    """A handler that notes what it has done with success; `moods` are the failures of its next calls."""

    def __init__(self, *moods: Exception, hates: frozenset[str] = frozenset()) -> None:
        self.moods = list(moods)
        self.hates = hates
        self.done: Counter[str] = Counter()
        self.calls: list[list[str]] = []

    async def __call__(self, batch: Sequence[Received[Alert]]) -> None:
        names = [each.event.alert_id for each in batch]
        self.calls.append(names)
        if self.moods:
            raise self.moods.pop(0)
        if self.hates & {*names}:
            raise ValueError("it cannot be counted")
        self.done.update(names)


@pytest.mark.parametrize(("name", "body", "headers", "reason"), HOPELESS, ids=[case[0] for case in HOPELESS])
async def test_a_record_that_cannot_be_read_is_buried_as_it_was_and_the_next_is_handled(
    post: Post, name: str, body: bytes | None, headers: Headers, reason: str
) -> None:
    clerk = Clerk()
    start = await post.end()
    await post.put(alert(1))
    await post.put_raw(body, headers, key=b"prf_1")
    await post.put(alert(2))
    await post.member(clerk)
    await post.all_read()
    (dead,) = await post.dead_letters(1)
    assert clerk.done == {"alr_1": 1, "alr_2": 1}
    assert (dead.value, dead.key) == (body or b"", b"prf_1")
    said = {key: value.decode() for key, value in dead.headers}
    assert reason in said["dead_letter_reason"]
    assert (said["dead_letter_topic"], said["dead_letter_partition"]) == (TOPIC, "0")
    assert said["dead_letter_offset"] == str(start + 1)


async def test_the_reason_of_a_burial_does_not_repeat_what_the_record_says(post: Post) -> None:
    await post.put_raw(b'{"alert_id": "+201001234567 is no id"}', WHOLE)
    await post.member(Clerk())
    (dead,) = await post.dead_letters(1)
    assert b"201001234567" not in dict(dead.headers)["dead_letter_reason"]


@pytest.mark.parametrize("failure", [OSError("the database is away"), PublishFailed("Kafka is away")])
async def test_a_failure_that_may_pass_comes_again_as_often_as_it_takes(post: Post, failure: Exception) -> None:
    clerk = Clerk(*[failure] * 6)
    await post.put(alert(1), alert(2))
    await post.member(clerk)
    await post.all_read()
    assert clerk.done == {"alr_1": 1, "alr_2": 1}
    assert await post.dead_letters(0) == []


async def test_while_it_fails_the_offset_stays_and_another_member_gets_the_same_records(post: Post) -> None:
    start = await post.end()
    failed = asyncio.Event()

    async def fail(batch: Sequence[Received[Alert]]) -> None:
        failed.set()
        raise OSError("the database is away")

    await post.put(alert(1), alert(2))
    unlucky = await post.member(fail)
    await failed.wait()
    await post.leave(unlucky)
    assert await post.committed() == start
    clerk = Clerk()
    await post.member(clerk)
    await post.all_read()
    assert clerk.done == {"alr_1": 1, "alr_2": 1}


async def test_garbage_in_a_batch_that_comes_again_is_buried_once(post: Post) -> None:
    clerk = Clerk(*[OSError("the database is away")] * 4)
    await post.put_raw(b"garbage", WHOLE)
    await post.put(alert(1))
    await post.member(clerk)
    await post.all_read()
    assert len(await post.dead_letters(1)) == 1
    assert clerk.done == {"alr_1": 1}


async def test_a_record_that_breaks_the_handler_is_buried_alone_and_its_neighbours_are_handled_once(post: Post) -> None:
    clerk = Clerk(hates=frozenset({"alr_3", "alr_5"}))
    await post.put(*map(alert, range(1, 8)))
    await post.member(clerk)
    await post.all_read()
    dead = await post.dead_letters(2)
    assert [dict(each.headers)["ce_id"] for each in dead] == [b"alr_3/raised", b"alr_5/raised"]
    assert all(dict(each.headers)["dead_letter_reason"] == b"ValueError: it cannot be counted" for each in dead)
    assert clerk.done == {f"alr_{number}": 1 for number in (1, 2, 4, 6, 7)}


async def test_a_failure_that_goes_away_after_two_tries_buries_nothing(post: Post) -> None:
    clerk = Clerk(ValueError("a race"), ValueError("a race"))
    await post.put(alert(1))
    await post.member(clerk)
    await post.all_read()
    assert clerk.done == {"alr_1": 1}
    assert await post.dead_letters(0) == []


async def test_records_behind_a_poisonous_one_are_handled_in_batches_again(post: Post) -> None:
    clerk = Clerk(hates=frozenset({"alr_1"}))
    await post.put(alert(1))
    await post.member(clerk)
    await post.all_read()
    clerk.calls.clear()
    await post.put(*map(alert, range(2, 6)))
    await post.all_read()
    assert [name for call in clerk.calls for name in call] == ["alr_2", "alr_3", "alr_4", "alr_5"]
