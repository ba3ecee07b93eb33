"""Testing: in-memory twins of what the ingress talks to; no production module imports this one."""

import contextlib
import hashlib
import hmac
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

import httpx
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.app import Parts, assemble
from ingress.configuration.config_cache import IngressConfigCache
from ingress.configuration.credentials import NAMES
from ingress.infra.outbox import POLL_SECONDS, Relay
from ingress.infra.service_client import ASK_SECONDS, Answered, Away
from ingress.messages.callbacks import Waiters
from ingress.settings import IngressSettings
from ingress.status.projection import StatusView
from ingress.webhooks.receipts import Receipts
from spreader.clock import wall_now
from spreader.contract.events import (
    Event,
    MessageRouted,
    OpenMessageRequested,
    PackageConfigured,
    ProfileState,
    ReplyMessageRequested,
    ReplySettled,
    Status,
)
from spreader.kafka.bus import PublishFailed
from spreader.kafka.envelope import Envelope, decode
from spreader.media.store import MediaStore
from spreader.runtime.loop import Loop
from spreader.telemetry.tracing import OFF, Tracing
from spreader.testing import ManualClock, MemoryBus, MemoryTable
from spreader.vault import new_key

E = TypeVar("E", bound=Event)

KEY = "test-key"
SECRET_KEYS = new_key()


CREDENTIALS: dict[str, Callable[[str], dict[str, str]]] = {
    "cloud_api": lambda of: {name: f"{name}-of-{of}" for name in NAMES["cloud_api"]},
    "waha": lambda of: {name: f"{name}-of-{of}" for name in NAMES["waha"]},
    "evolution": lambda of: {name: f"{name}-of-{of}" for name in NAMES["evolution"]},
}
"""The credentials of a profile at each gateway; each has its own."""


def signed(
    driver: str, of: str, body: dict[str, Any] | bytes, secret: str | None = None, at: datetime | None = None
) -> dict[str, Any]:
    """What a call of the webhook of `of` needs, signed as the gateway does; httpx takes it as arguments."""
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    own = CREDENTIALS[driver](of)
    if driver == "evolution":
        return {"content": raw, "headers": {"Authorization": f"Bearer {secret or own['webhook_token']}"}}
    if driver == "cloud_api":
        digest = hmac.new((secret or own["app_secret"]).encode(), raw, hashlib.sha256).hexdigest()
        return {"content": raw, "headers": {"X-Hub-Signature-256": f"sha256={digest}", "Authorization": ""}}
    digest = hmac.new((secret or own["hmac_key"]).encode(), raw, hashlib.sha512).hexdigest()
    stamp = f"{(at or wall_now()).timestamp() * 1000:.0f}"
    return {
        "content": raw,
        "headers": {"X-Webhook-Hmac": digest, "X-Webhook-Timestamp": stamp, "Authorization": ""},
    }


@dataclass
class MemoryLog(Generic[E]):
    """What the relay publishes to: keeps every record, and shows those of one kind in a table."""

    kind: type[E]
    table: MemoryTable[E]
    envelopes: list[Envelope] = field(default_factory=list)

    async def publish_envelopes(self, *envelopes: Envelope) -> None:
        for each in envelopes:
            self.envelopes.append(each)
            event = None if each.body is None else decode(each.topic, each.headers, each.body)
            if each.topic == self.kind.topic and (event is None or isinstance(event, self.kind)):
                self.table.set((each.key or b"").decode(), event)


@dataclass
class Asking:
    """The place where answers arrive, without Kafka."""

    partition: int = 7
    waiters: Waiters = field(default_factory=Waiters)


@dataclass
class MemoryPeer:
    """A peer that says what a test gave it for a path, and is away for every other."""

    says: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    asked: list[tuple[str, Any]] = field(default_factory=list)

    async def ask(self, path: str, body: Mapping[str, Any] | None = None, seconds: float = ASK_SECONDS) -> Answered:
        self.asked.append((path, body))
        return self.says[path] if path in self.says else Away("the pacer does not answer now (ClientConnectorError)")


@dataclass
class AnsweringBus(MemoryBus):
    """A bus behind which a router and a sender answer at once, as they are told to."""

    asking: Asking = field(default_factory=Asking)
    profiles: tuple[str, ...] = ()
    """Whom the router gives the recipients to, in turn; none: it does not answer."""
    settles: Status | None = None
    """What becomes of a reply; None: nothing in time."""
    forgets: bool = False
    """Takes what is published and never says so, as a broker whose acknowledgement is lost."""

    async def publish(self, *events: Event) -> None:
        await super().publish(*events)
        for event in events:
            if isinstance(event, OpenMessageRequested) and self.profiles:
                self.asking.waiters.take(self._routed(event))
            if isinstance(event, ReplyMessageRequested) and self.settles is not None:
                self.asking.waiters.take(self._settled(event, self.settles))
        if self.forgets:
            raise PublishFailed("no acknowledgement came")

    def _routed(self, event: OpenMessageRequested) -> MessageRouted:
        share = dict.fromkeys(self.profiles, 0)
        for place in range(len(event.recipients)):
            share[self.profiles[place % len(self.profiles)]] += 1
        return MessageRouted(
            callback_partition=self.asking.partition,
            message_id=event.message_id,
            first_index=event.first_index,
            distribution=share,
        )

    def _settled(self, event: ReplyMessageRequested, status: Status) -> ReplySettled:
        sent = status == "sent"
        return ReplySettled(
            callback_partition=self.asking.partition,
            message_id=event.message_id,
            status=status,
            at=self.now,
            profile_id="profile_2" if sent else None,
            reason=None if sent else "the gateway is away",
            failure=None if sent else "gateway",
        )


@dataclass
class System:
    http: httpx.AsyncClient
    app: FastAPI
    engine: AsyncEngine
    bus: AnsweringBus
    log: MemoryLog[PackageConfigured]
    packages: MemoryTable[PackageConfigured]
    states: MemoryTable[ProfileState]
    clock: ManualClock
    router: "MemoryPeer"
    pacer: "MemoryPeer"
    sender: "MemoryPeer"

    @property
    def view(self) -> StatusView:
        return StatusView(self.engine)

    @property
    def receipts(self) -> Receipts:
        return Receipts(self.engine, self.bus)

    async def package(self, *profile_ids: str, package_id: str = "pkg", **settings: Any) -> None:
        """A package with these profiles."""
        made = await self.http.post("/packages", json={"package_id": package_id, "name": "Orders", **settings})
        assert made.status_code == 201, made.text
        for number, profile_id in enumerate(profile_ids):
            added = await self.http.post(
                f"/packages/{package_id}/profiles",
                json={
                    "profile_id": profile_id,
                    "name": profile_id,
                    "phone": f"20100000000{number}",
                    "gateway": {"driver": "simulator"},
                },
            )
            assert added.status_code == 201, added.text

    async def gateway_profile(
        self, driver: str, profile_id: str, like: str | None = None, **more: Any
    ) -> dict[str, Any]:
        """A profile at a gateway, in package `pkg`. `like`: whose credentials it has, if not its own."""
        place = {"base_url": "http://127.0.0.1:3000", "account": profile_id}
        gateway = {"driver": driver, **place, "credentials": CREDENTIALS[driver](like or profile_id), **more}
        added = await self.http.post(
            "/packages/pkg/profiles",
            json={"profile_id": profile_id, "name": profile_id, "phone": "201000000099", "gateway": gateway},
        )
        assert added.status_code == 201, added.text
        return added.json()

    async def relayed(self) -> None:
        """Publish what is in the outbox."""
        relay = Relay(self.engine, self.log)
        while await relay.turn() != POLL_SECONDS:
            pass

    def snapshot(self, package_id: str = "pkg") -> PackageConfigured:
        row = self.packages.get(package_id)
        assert row is not None
        return row


@contextlib.asynccontextmanager
async def running(
    engine: AsyncEngine,
    now: datetime,
    relaying: bool = True,
    media_hosts_allowed: str = "",
    secret_keys: str | None = SECRET_KEYS,
    tracing: Tracing = OFF,
) -> AsyncGenerator[System]:
    """The ingress in process: a real Postgres, everything else in memory."""
    asking, clock = Asking(), ManualClock(now)
    packages, states = MemoryTable[PackageConfigured](), MemoryTable[ProfileState]()
    bus = AnsweringBus(now, asking=asking)
    log = MemoryLog(PackageConfigured, packages)
    relay = Loop("relay", Relay(engine, log).turn)
    settings = IngressSettings(
        api_key=KEY,
        secret_keys=secret_keys,
        routed_wait_seconds=0.1,
        settled_wait_seconds=0.1,
        found_wait_seconds=1.0,
        body_bytes_max=2_000_000,
        media_hosts_allowed=media_hosts_allowed,
    )
    configured = IngressConfigCache(packages, states, wait_seconds=5)
    router, pacer, sender = MemoryPeer(), MemoryPeer(), MemoryPeer()
    media = MediaStore("memory://", clock)
    await media.start()
    parts = Parts(settings, engine, bus, configured, asking, router, pacer, sender, media, clock, relay.wake, tracing)
    app = assemble(FastAPI(), parts)
    if relaying:
        await relay.start()
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {KEY}"}
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://ingress/api/v1", headers=headers) as http:
            yield System(http, app, engine, bus, log, packages, states, clock, router, pacer, sender)
    finally:
        await relay.stop()
