"""Webhook caller: calls the webhooks of accounts at the scheduled times, and retries as the real gateways do.

Receipts wait in memory, so they are lost when the process ends. A real gateway may lose receipts too, so services must
not depend on receipts. Replies that are scheduled for later are also lost. Messages that a customer has written are
stored on disk. They are retried, even after a restart, until the webhook accepts them or the gateway stops retrying.

Calls are concurrent. Two calls that are due at the same time may arrive in either order.
"""

import asyncio
import heapq
import json
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

import aiohttp
import structlog

from simulator.accounts import AccountKey, AccountRegistry, GatewayAccount
from simulator.customer_messages import CustomerMessageStore, PendingMessage
from simulator.dialects import DIALECTS
from simulator.dialects.dialect import CallKind, Json
from simulator.metrics import WEBHOOK_CALLS, WEBHOOK_CALLS_WAITING
from spreader.clock import Clock, wall_now
from spreader.runtime.loop import Loop

log = structlog.get_logger()

ACCEPT_WAIT_SECONDS = 3.0
IDLE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class WebhookPost:
    """One call of an account's webhook. `message` is the customer's message that the call reports. It is None for other
    calls.

    The first attempt creates the headers, and the body if there is none. Retries send the same headers and body.
    """

    event: CallKind
    key: AccountKey
    body: bytes | None
    message: PendingMessage | None = None
    headers: Mapping[str, str] | None = field(default=None, repr=False)
    attempt: int = 1

    @classmethod
    def for_message(cls, message: PendingMessage) -> "WebhookPost":
        return cls("message", message.key, None, message)

    @classmethod
    def create(cls, event: CallKind, key: AccountKey, body: Json) -> "WebhookPost":
        return cls(event, key, encode(body))


class WebhookCaller:
    """Component: a queue of calls in the order of their due times. The queue and the concurrent calls are limited."""

    name = "callbacks"

    def __init__(
        self,
        accounts: AccountRegistry,
        customer_messages: CustomerMessageStore,
        clock: Clock,
        waiting_max: int,
        workers: int,
        timeout_seconds: float,
        back_off_factor: float,
    ) -> None:
        self._accounts = accounts
        self._back_off_factor = back_off_factor
        self._draw = random.Random()
        self._customer_messages = customer_messages
        self._clock = clock
        self._waiting_max = waiting_max
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._workers = workers
        self._waiting: list[tuple[float, int, WebhookPost]] = []
        self._serial = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = Loop(self.name, self._start_due)
        self._http: aiohttp.ClientSession | None = None

    @property
    def is_full(self) -> bool:
        return len(self._waiting) >= self._waiting_max

    def schedule(self, call: WebhookPost, duration: timedelta) -> None:
        """Make the call after `duration` of system time. If the queue is full, the call is dropped."""
        if self.is_full:
            WEBHOOK_CALLS.labels(call.event, "dropped").inc()
            return
        self._push(call, self._clock.wall(duration).total_seconds())

    def post(self, message: PendingMessage) -> None:
        """Store a customer's message and call the webhook at once."""
        self._customer_messages.add(message)
        self._push(WebhookPost.for_message(message), 0)

    async def wait_until_accepted(self, message_id: str) -> bool:
        """Wait a few seconds for the webhook to accept the message. Returns whether it did.

        If it did not, the message is retried as usual.
        """
        return await self._customer_messages.wait_until_removed(message_id, ACCEPT_WAIT_SECONDS)

    async def verify(self, account: GatewayAccount) -> bool:
        """Whether the webhook passes Meta's verification. For the right token it must return the challenge."""
        challenge = str(self._draw.randrange(10**9, 10**10))
        token = account.credentials["verify_token"]
        params = {"hub.mode": "subscribe", "hub.verify_token": token, "hub.challenge": challenge}
        if self._http is None:
            return False
        try:
            async with self._http.get(account.webhook_url, params=params) as answer:
                return answer.status == 200 and await answer.text() == challenge
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    async def start(self) -> None:
        self._http = aiohttp.ClientSession(timeout=self._timeout, connector=aiohttp.TCPConnector(limit=self._workers))
        for message in self._customer_messages:
            self._push(WebhookPost.for_message(message), 0)
        await self._loop.start()

    async def stop(self) -> None:
        await self._loop.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._http is not None:
            await self._http.close()

    def not_ready_reason(self) -> str | None:
        return self._loop.not_ready_reason()

    def failing(self) -> Mapping[str, str]:
        return self._loop.failing()

    def is_live(self) -> bool:
        return self._loop.is_live()

    def _push(self, call: WebhookPost, seconds: float) -> None:
        self._serial += 1
        heapq.heappush(self._waiting, (time.monotonic() + seconds, self._serial, call))
        WEBHOOK_CALLS_WAITING.set(len(self._waiting))
        if self._waiting[0][2] is call:
            self._loop.wake()

    async def _start_due(self) -> float:
        while self._waiting and len(self._tasks) < self._workers:
            seconds = self._waiting[0][0] - time.monotonic()
            if seconds > 0:
                return seconds
            _, _, call = heapq.heappop(self._waiting)
            task = asyncio.create_task(self._run(call))
            self._tasks.add(task)
            task.add_done_callback(self._on_done)
        WEBHOOK_CALLS_WAITING.set(len(self._waiting))
        return IDLE_SECONDS

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._loop.wake()

    async def _run(self, call: WebhookPost) -> None:
        if call.message is not None:
            self._customer_messages.add(call.message)
        account = self._accounts.get(call.key)
        if account is not None:
            call = _prepared(call, account)
        refusal = await self._refusal(call, account)
        WEBHOOK_CALLS.labels(call.event, "taken" if refusal is None else "refused").inc()
        retries = DIALECTS[call.key.driver].retries(call.event)
        if refusal is None:
            self._forget_message(call)
        elif retries.ends_with(call.attempt, refusal.status):
            self._forget_message(call)
            WEBHOOK_CALLS.labels(call.event, "given up").inc()
            log.warning("webhook did not accept a call; giving up", account=call.key.account, reason=refusal.reason)
        else:
            seconds = retries.seconds(call.attempt, self._draw) * self._back_off_factor
            self._push(replace(call, attempt=call.attempt + 1), seconds)

    def _forget_message(self, call: WebhookPost) -> None:
        if call.message is not None:
            self._customer_messages.remove(call.message.message_id)

    async def _refusal(self, call: WebhookPost, account: GatewayAccount | None) -> "_Refusal | None":
        """Call the account's webhook. Returns why the webhook did not accept the call, or None if it did."""
        if account is None or self._http is None:
            return _Refusal("the account is not registered")
        if not account.webhook_url:  # a session that was created without a webhook
            return None
        try:
            headers = {"Content-Type": "application/json", **(call.headers or {})}
            async with self._http.post(account.webhook_url, data=call.body, headers=headers) as answer:
                return None if 200 <= answer.status < 300 else _Refusal(f"HTTP {answer.status}", answer.status)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return _Refusal(type(error).__name__)


@dataclass(frozen=True, slots=True)
class _Refusal:
    reason: str
    status: int | None = None


def encode(body: Json) -> bytes:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


def _prepared(call: WebhookPost, account: GatewayAccount) -> WebhookPost:
    """The call with its body and headers. They are created if the call does not have them yet."""
    if call.headers is not None:
        return call
    dialect, body = DIALECTS[call.key.driver], call.body
    if body is None and call.message is not None:
        body = encode(dialect.message(account, call.message))
    return replace(call, body=body, headers=dialect.headers(account, body or b"", wall_now()))
