"""Call starts: stores in the ledger that a call begins, before it begins. One statement stores a group of calls.

If the process dies after the start is stored and before the request is written, the delivery is in doubt without need.
The larger the group, the more deliveries this can concern. So a group is only as large as it must be for the calls to
begin as fast as they arrive.
"""

import asyncio
from dataclasses import dataclass

from sender.ledger.claim import CallStart, Claim, StartingCall
from sender.ledger.postgres import DeliveryLedger

GROUP_SHARE = 8
"""A group has an eighth of the waiting calls, but at least one."""


@dataclass(frozen=True, slots=True)
class _PendingStart:
    starting: StartingCall
    started: asyncio.Future[CallStart | None]


class CallStarts:
    def __init__(self, ledger: DeliveryLedger) -> None:
        self._ledger = ledger
        self._pending: list[_PendingStart] = []
        self._writing: asyncio.Task[None] | None = None

    async def start(self, claim: Claim, resent: bool) -> CallStart | None:
        """Returns after the ledger has stored that the call begins, or that it must not begin. None: the claim is no
        longer valid, so the call must not begin. Raises the error of the database.

        `resent`: the delivery is sent although an earlier call may have sent it.
        """
        pending = _PendingStart(StartingCall(claim, resent), asyncio.get_running_loop().create_future())
        self._pending.append(pending)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_groups(), name=f"call starts of {self._ledger.lane}")
        return await pending.started

    async def _write_groups(self) -> None:
        while self._pending:
            size = max(1, len(self._pending) // GROUP_SHARE)
            group = _waiting(self._pending[:size])
            del self._pending[:size]
            if not group:
                continue
            try:
                async with self._ledger.start_calls([pending.starting for pending in group]) as started:
                    for pending in _waiting(group):
                        pending.started.set_result(started.get(pending.starting.claim.key))
            except Exception as error:
                for pending in _waiting(group):
                    pending.started.set_exception(error)


def _waiting(group: list[_PendingStart]) -> list[_PendingStart]:
    return [pending for pending in group if not pending.started.done()]  # done: the claim's task was cancelled
