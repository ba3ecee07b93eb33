"""Receipt groups: matches the receipts of several webhook calls with one statement, and publishes them together.

The first call after a pause is processed at once. Further calls form a group. It waits until it is full, or until
`GROUP_SECONDS` have passed since the last group began. A gateway gets its response only after its receipts are
processed.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ingress.core.receipts import ProfileReceipt
from spreader.kafka.bus import PublishFailed
from spreader.runtime.group_write import write_in_parts
from spreader.runtime.postgres import is_transient

GROUP_SECONDS = 0.05
"""A group that is not full begins at least this long after the group before it."""
GROUP_CALLS = 64
"""A group with this many calls is full."""


class Matcher(Protocol):
    async def take(self, receipts: Sequence[ProfileReceipt]) -> None:
        """Publishes the outcomes of known deliveries and stores the other receipts as waiting."""
        ...


@dataclass(frozen=True, slots=True)
class _Call:
    receipts: Sequence[ProfileReceipt]
    taken: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class ReceiptGroups:
    def __init__(self, matcher: Matcher, seconds: float = GROUP_SECONDS) -> None:
        self._matcher = matcher
        self._seconds = seconds
        self._calls: list[_Call] = []
        self._full = asyncio.Event()
        self._not_before = 0.0
        self._taking: asyncio.Task[None] | None = None

    async def take(self, receipts: Sequence[ProfileReceipt]) -> None:
        """Returns when the matcher has taken these receipts. If the matcher fails with them, raises the matcher's
        error."""
        if not receipts:
            return
        call = _Call(receipts)
        self._calls.append(call)
        if len(self._calls) >= GROUP_CALLS:
            self._full.set()
        if self._taking is None or self._taking.done():
            self._taking = asyncio.create_task(self._take_groups(), name="receipts of webhooks")
        await call.taken

    async def _take_groups(self) -> None:
        while self._calls:
            await self._wait()
            group = self._calls[:GROUP_CALLS]
            del self._calls[:GROUP_CALLS]
            if len(self._calls) < GROUP_CALLS:
                self._full.clear()
            try:
                await write_in_parts(group, self._take, _fail, _may_pass)
            except Exception as error:
                for call in group:
                    await _fail(call, error)

    async def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(self._not_before):
                await self._full.wait()
        except TimeoutError:
            pass  # the group is not full, but its time has come
        self._not_before = loop.time() + self._seconds

    async def _take(self, group: Sequence[_Call]) -> None:
        await self._matcher.take([receipt for call in group for receipt in call.receipts])
        for call in group:
            if not call.taken.done():  # done: the request was cancelled
                call.taken.set_result(None)


async def _fail(call: _Call, error: Exception) -> None:
    if not call.taken.done():
        call.taken.set_exception(error)


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, PublishFailed) or is_transient(error)
