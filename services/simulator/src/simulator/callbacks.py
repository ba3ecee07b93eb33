"""Callback: a call of a profile's webhook, made when its moment comes and again until the webhook takes it.

Receipts wait in memory and are lost when the process ends: a real gateway's receipts are not certain either, and
nothing may depend on one. So are answers that a customer has not written yet. Messages that customers have written are
in the mailbox and are tried until they are taken or their gateway gives up, over restarts too. Callbacks are made
concurrently: two that fall due together may arrive in either order.
"""

import asyncio
import heapq
import json
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

import aiohttp
import structlog

from simulator.accounts import Account, Accounts, Key
from simulator.dialects import DIALECTS
from simulator.dialects.dialect import Event, Json
from simulator.mailbox import Letter, Mailbox
from simulator.metrics import CALLBACKS, CALLBACKS_WAITING
from spreader.clock import Clock, wall_now
from spreader.runtime.loop import Loop

log = structlog.get_logger()

LETTER_PATIENCE_SECONDS = 3.0
IDLE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Callback:
    """What is posted for an account; with the letter that it carries, where it is a customer's message.

    A letter's body is made at its first call, and headers are: both are the same at every later one.
    """

    event: Event
    key: Key
    body: bytes | None
    letter: Letter | None = None
    headers: Mapping[str, str] | None = None
    attempt: int = 1

    @classmethod
    def of(cls, letter: Letter) -> "Callback":
        return cls("message", letter.key, None, letter)

    @classmethod
    def told(cls, event: Event, key: Key, said: Json) -> "Callback":
        return cls(event, key, as_body(said))


class Callbacks:
    """A bounded queue by due moment and a bounded number of calls at a time."""

    name = "callbacks"

    def __init__(
        self,
        accounts: Accounts,
        mailbox: Mailbox,
        clock: Clock,
        waiting_max: int,
        workers: int,
        timeout_seconds: float,
        back_off_factor: float,
    ) -> None:
        self._accounts = accounts
        self._back_off_factor = back_off_factor
        self._draw = random.Random()
        self._mailbox = mailbox
        self._clock = clock
        self._waiting_max = waiting_max
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._workers = workers
        self._waiting: list[tuple[float, int, Callback]] = []
        self._serial = 0
        self._calls: set[asyncio.Task[None]] = set()
        self._loop = Loop(self.name, self._turn)
        self._http: aiohttp.ClientSession | None = None

    @property
    def full(self) -> bool:
        return len(self._waiting) >= self._waiting_max

    def schedule(self, callback: Callback, duration: timedelta) -> None:
        """Call after `duration` of the system's time, if the queue is not full. A letter is kept from then on."""
        if self.full:
            CALLBACKS.labels(callback.event, "dropped").inc()
            return
        self._push(callback, self._clock.wall(duration).total_seconds())

    def post(self, letter: Letter) -> None:
        """Keep what a customer wrote, and call for it at once."""
        self._mailbox.put(letter)
        self._push(Callback.of(letter), 0)

    async def taken(self, message_id: str) -> bool:
        """Wait a little until the webhook has taken a letter; it is tried on in either case."""
        return await self._mailbox.wait_until_taken(message_id, LETTER_PATIENCE_SECONDS)

    async def verify(self, account: Account) -> bool:
        """Ask the webhook to repeat a number, with the account's own word, as Meta does before it calls."""
        challenge = str(self._draw.randrange(10**9, 10**10))
        word = account.credentials["verify_token"]
        asked = {"hub.mode": "subscribe", "hub.verify_token": word, "hub.challenge": challenge}
        if self._http is None:
            return False
        try:
            async with self._http.get(account.webhook_url, params=asked) as answer:
                return answer.status == 200 and await answer.text() == challenge
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    async def start(self) -> None:
        self._http = aiohttp.ClientSession(timeout=self._timeout, connector=aiohttp.TCPConnector(limit=self._workers))
        for letter in self._mailbox:
            self._push(Callback.of(letter), 0)
        await self._loop.start()

    async def stop(self) -> None:
        await self._loop.stop()
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)
        if self._http is not None:
            await self._http.close()

    def not_ready_reason(self) -> str | None:
        return self._loop.not_ready_reason()

    def is_live(self) -> bool:
        return self._loop.is_live()

    def _push(self, callback: Callback, seconds: float) -> None:
        self._serial += 1
        heapq.heappush(self._waiting, (time.monotonic() + seconds, self._serial, callback))
        CALLBACKS_WAITING.set(len(self._waiting))
        if self._waiting[0][2] is callback:
            self._loop.wake()

    async def _turn(self) -> float:
        while self._waiting and len(self._calls) < self._workers:
            seconds = self._waiting[0][0] - time.monotonic()
            if seconds > 0:
                return seconds
            _, _, callback = heapq.heappop(self._waiting)
            call = asyncio.create_task(self._call(callback))
            self._calls.add(call)
            call.add_done_callback(self._ended)
        CALLBACKS_WAITING.set(len(self._waiting))
        return IDLE_SECONDS

    def _ended(self, call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        self._loop.wake()

    async def _call(self, callback: Callback) -> None:
        if callback.letter is not None:
            self._mailbox.put(callback.letter)
        account = self._accounts.of(callback.key)
        if account is not None:
            callback = _made(callback, account)
        refusal = await self._refusal(callback, account)
        CALLBACKS.labels(callback.event, "taken" if refusal is None else "refused").inc()
        retries = DIALECTS[callback.key.driver].retries(callback.event)
        if refusal is None:
            self._done(callback)
        elif retries.ends_with(callback.attempt, refusal.status):
            self._done(callback)
            CALLBACKS.labels(callback.event, "given up").inc()
            log.warning("a webhook took no call; it is given up", account=callback.key.account, why=refusal.why)
        else:
            seconds = retries.seconds(callback.attempt, self._draw) * self._back_off_factor
            self._push(replace(callback, attempt=callback.attempt + 1), seconds)

    def _done(self, callback: Callback) -> None:
        if callback.letter is not None:
            self._mailbox.taken(callback.letter.message_id)

    async def _refusal(self, callback: Callback, account: Account | None) -> "_Refusal | None":
        """Call the webhook that the account has now; answers why it did not take the callback."""
        if account is None or self._http is None:
            return _Refusal("the account is not registered")
        try:
            headers = {"Content-Type": "application/json", **(callback.headers or {})}
            async with self._http.post(account.webhook_url, data=callback.body, headers=headers) as answer:
                return None if 200 <= answer.status < 300 else _Refusal(f"HTTP {answer.status}", answer.status)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return _Refusal(type(error).__name__)


@dataclass(frozen=True, slots=True)
class _Refusal:
    why: str
    status: int | None = None


def as_body(said: Json) -> bytes:
    return json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode()


def _made(callback: Callback, account: Account) -> Callback:
    """Its body and headers, if they are not made yet."""
    if callback.headers is not None:
        return callback
    dialect, body = DIALECTS[callback.key.driver], callback.body
    if body is None and callback.letter is not None:
        body = as_body(dialect.message(account, callback.letter))
    return replace(callback, body=body, headers=dialect.headers(account, body or b"", wall_now()))
