"""Receipt groups: calls that come together cost one statement, and a call that fails does not fail the others."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ingress.core.receipts import ProfileReceipt
from ingress.core.reports import MessageReceipt
from ingress.webhooks.receipt_groups import GROUP_CALLS, ReceiptGroups
from spreader.kafka.bus import PublishFailed
from spreader.text.clean_text import clean_id

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
NEVER_SECONDS = 3_600.0


def receipt(name: str) -> ProfileReceipt:
    return ProfileReceipt("pkg", "a", MessageReceipt(clean_id(name), "delivered", NOON))


def name_of(receipt: ProfileReceipt) -> str:
    return receipt.report.gateway_message_id


@dataclass
class Matcher:
    """Keeps the groups that it got. It refuses a group with a receipt in `refused`."""

    groups: list[list[str]] = field(default_factory=list[list[str]])
    refused: dict[str, Exception] = field(default_factory=dict[str, Exception])

    async def take(self, receipts: Sequence[ProfileReceipt]) -> None:
        names = [name_of(receipt) for receipt in receipts]
        for name in names:
            if name in self.refused:
                raise self.refused[name]
        self.groups.append(names)


async def take_all(groups: ReceiptGroups, *names: str) -> list[BaseException | None]:
    async with asyncio.timeout(10):
        return await asyncio.gather(*(groups.take([receipt(name)]) for name in names), return_exceptions=True)


async def test_the_first_call_after_a_pause_is_taken_at_once() -> None:
    matcher = Matcher()
    assert await take_all(ReceiptGroups(matcher, NEVER_SECONDS), "one") == [None]
    assert matcher.groups == [["one"]]


async def test_calls_of_the_same_time_are_one_group() -> None:
    matcher = Matcher()
    groups = ReceiptGroups(matcher, 0.02)
    for names in (["one"], ["two", "three", "four"]):
        assert await take_all(groups, *names) == [None] * len(names)
    assert matcher.groups == [["one"], ["two", "three", "four"]]


async def test_a_full_group_does_not_wait() -> None:
    """Dies when it waits: many calls would be as slow as the groups are."""
    matcher = Matcher()
    groups = ReceiptGroups(matcher, NEVER_SECONDS)
    await take_all(groups, "first")
    names = [f"r{number}" for number in range(2 * GROUP_CALLS)]
    assert await take_all(groups, *names) == [None] * len(names)
    assert [len(group) for group in matcher.groups] == [1, GROUP_CALLS, GROUP_CALLS]


async def test_a_call_with_a_wrong_value_fails_alone() -> None:
    wrong = ValueError("a value that Postgres refuses")
    matcher = Matcher(refused={"wrong": wrong})
    assert await take_all(ReceiptGroups(matcher, 0), "one", "wrong", "two") == [None, wrong, None]
    assert sorted(name for group in matcher.groups for name in group) == ["one", "two"]


@pytest.mark.parametrize("error", [PublishFailed("away"), PoolTimeout("no connection")])
async def test_while_a_server_is_away_all_calls_fail_and_later_ones_are_taken(error: Exception) -> None:
    matcher = Matcher(refused={"one": error})
    groups = ReceiptGroups(matcher, 0)
    assert await take_all(groups, "one", "two") == [error, error]
    assert await take_all(groups, "three") == [None]


async def test_a_cancelled_call_does_not_stop_the_others() -> None:
    matcher = Matcher()
    groups = ReceiptGroups(matcher, 0.02)
    await take_all(groups, "first")
    gone = asyncio.create_task(groups.take([receipt("gone")]))
    await asyncio.sleep(0)
    gone.cancel()
    assert await take_all(groups, "other") == [None]
    assert matcher.groups[-1] == ["gone", "other"]
