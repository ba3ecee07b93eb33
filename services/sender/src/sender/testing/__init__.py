"""Testing: values, fakes and a gateway for the sender's tests. Production modules do not import it."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncEngine

from sender.core.delivery import Delivery
from sender.core.gateway_answer import GatewayAnswer, SendRefused
from sender.gateways.driver import Driver
from sender.ledger.claim import Claim, StartingCall
from sender.ledger.postgres import DeliveryLedger
from sender.ledger.retention import old_rows
from spreader.contract.configuration import Gateway, Package, Profile
from spreader.contract.content import TextContent
from spreader.contract.events import DeliveryReleased, Event, PackageConfigured, ReplyDeliveryAssigned
from spreader.contract.ids import delivery_id
from spreader.kafka.bus import PublishFailed
from spreader.kafka.guarded_consumer import Received
from spreader.runtime.retention import Retention
from spreader.testing import MemoryBus, MemoryTable

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HELLO = TextContent(type="text", text="Hello!")
PHONE = "201000000001"


def forgetting(engine: AsyncEngine, keep: timedelta, now: datetime = NOON) -> Retention:
    """The retention of the sender, which here keeps everything for `keep`."""
    return Retention(engine, lambda: now, lambda: old_rows(keep, keep, keep))


def reply(name: str = "m1", recipient: str = PHONE, attempt: int = 1, profile_id: str = "p1") -> ReplyDeliveryAssigned:
    return ReplyDeliveryAssigned(
        package_id="pkg",
        message_id=name,
        delivery_id=delivery_id(name, recipient),
        recipient=recipient,
        profile_id=profile_id,
        content=HELLO,
        reason="the customer wrote to it",
        attempt=attempt,
        requested_at=NOON,
        expires_at=NOON + timedelta(minutes=10),
        callback_partition=3,
    )


def released(name: str = "m1", recipient: str = PHONE, attempt: int = 1, release: int = 1) -> DeliveryReleased:
    return DeliveryReleased(
        package_id="pkg",
        message_id=name,
        delivery_id=delivery_id(name, recipient),
        recipient=recipient,
        profile_id="p1",
        content=HELLO,
        requested_at=NOON,
        attempt=attempt,
        release=release,
        released_at=NOON,
        send_by=NOON + timedelta(hours=1),
    )


def batch_of(*deliveries: Delivery, first: int = 0) -> list[Received[Delivery]]:
    """The deliveries as one batch of a partition, from offset `first` on."""
    return [Received(delivery, delivery.topic, 0, offset) for offset, delivery in enumerate(deliveries, start=first)]


def profile(base_url: str, profile_id: str = "p1") -> Profile:
    gateway = Gateway(driver="simulator", base_url=base_url, account=f"account-{profile_id}")
    return Profile(profile_id=profile_id, name=profile_id, phone="201111111111", gateway=gateway)


async def send_once(driver: Driver, delivery: Delivery, through: Profile) -> GatewayAnswer:
    """Prepares the delivery and then sends it."""
    ready = await driver.prepare(delivery, through)
    return ready if isinstance(ready, SendRefused) else await driver.send(ready, delivery, through)


async def begin_calls(ledger: DeliveryLedger, *claims: Claim) -> list[Claim]:
    """Stores that the calls of these claims begin; returns the claims that were still valid."""
    async with ledger.start_calls([StartingCall(claim, resent=False) for claim in claims]) as started:
        return [start.claim for start in started.values() if start.stop is None]


class FixedPackages(MemoryTable[PackageConfigured]):
    """A table in which every package has the same profiles; it never changes."""

    def __init__(self, profiles: tuple[Profile, ...] = ()) -> None:
        super().__init__()
        self.profiles = profiles

    def get(self, key: str) -> PackageConfigured | None:
        return PackageConfigured(package=Package(package_id=key, version=1, name=key, profiles=self.profiles), at=NOON)


@dataclass
class ObservedBus:
    """A MemoryBus that wakes waiting tests when events are published."""

    inner: MemoryBus = field(default_factory=lambda: MemoryBus(NOON))
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def publish(self, *events: Event) -> None:
        await self.inner.publish(*events)
        async with self._changed:
            self._changed.notify_all()

    async def until(self, satisfied: Callable[[MemoryBus], bool]) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: satisfied(self.inner))


class LossyBus(ObservedBus):
    """Publishes the events and then raises an error, like a broker that dies before it confirms."""

    async def publish(self, *events: Event) -> None:
        await super().publish(*events)
        raise PublishFailed("the confirmation was lost")


@dataclass(frozen=True, slots=True)
class Accept:
    """Responds with status 201; waits until `after` is set, if there is one. `message_id`: another id than usual."""

    after: asyncio.Event | None = None
    message_id: str | None = None


@dataclass(frozen=True, slots=True)
class Refuse:
    """Responds with an error; `sent`: the customer gets the message nevertheless."""

    status: int
    code: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    sent: bool = False


@dataclass(frozen=True, slots=True)
class Break:
    """Ends the connection without a response; `sent`: the customer gets the message."""

    sent: bool


Behaviour = Accept | Refuse | Break


@dataclass
class FakeGateway:
    """Has the simulator's HTTP API. `script` lists what happens to each delivery's sends. Further sends are
    accepted."""

    script: dict[str, list[Behaviour]] = field(default_factory=dict[str, list[Behaviour]])
    calls: list[str] = field(default_factory=list[str])
    """The delivery ids of all POST requests, in the order of arrival."""
    traceparents: list[str | None] = field(default_factory=list["str | None"])
    """The traceparent header of each POST request."""
    sent: list[str] = field(default_factory=list[str])
    """The delivery ids that customers have received."""
    lookups: list[str] = field(default_factory=list[str])
    registered: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    find_status: int | None = None
    base_url: str = ""
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until(self, satisfied: Callable[["FakeGateway"], bool]) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: satisfied(self))

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def on_send(self, request: web.Request) -> web.Response:
        body = await request.json()
        name: str = body["delivery_id"]
        self.calls.append(name)
        self.traceparents.append(request.headers.get("traceparent"))
        await self._notify()
        behaviours = self.script.get(name) or [Accept()]
        behaviour = behaviours.pop(0)
        if isinstance(behaviour, Accept) or behaviour.sent:
            self.sent.append(name)
        match behaviour:
            case Accept(after, message_id):
                if after is not None:
                    await after.wait()
                return web.json_response({"message_id": message_id or f"wamid-{name}"}, status=201)
            case Refuse(status, code, headers):
                return web.json_response({"error": {"code": code, "message": code}}, status=status, headers=headers)
            case Break():
                assert request.transport is not None
                request.transport.close()
                return web.Response()

    async def on_find(self, request: web.Request) -> web.Response:
        name = request.match_info["delivery_id"]
        self.lookups.append(name)
        if self.find_status is not None:
            return web.json_response({"error": {"code": "transient", "message": ""}}, status=self.find_status)
        if name in self.sent:
            return web.json_response({"message_id": f"wamid-{name}", "at": NOON.isoformat()})
        return web.json_response({"error": {"code": "not_found", "message": ""}}, status=404)

    async def on_register(self, request: web.Request) -> web.Response:
        self.registered[request.match_info["account"]] = await request.json()
        await self._notify()
        return web.json_response({})


@asynccontextmanager
async def serve(gateway: FakeGateway) -> AsyncGenerator[FakeGateway]:
    """Serves the gateway on a free local port."""
    app = web.Application()
    app.router.add_post("/profiles/{account}/messages", gateway.on_send)
    app.router.add_get("/profiles/{account}/messages/{delivery_id}", gateway.on_find)
    app.router.add_put("/profiles/{account}", gateway.on_register)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    gateway.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield gateway
    finally:
        await runner.cleanup()
