"""Testing: the ingress in one process, with in-memory substitutes for Kafka and the other services."""

import contextlib
import functools
import hashlib
import hmac
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

import httpx
from fastapi import FastAPI
from pydantic_core import to_json
from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.app import READERS, Dependencies, assemble, build
from ingress.configuration.config_cache import IngressConfigCache
from ingress.configuration.credentials import NAMES
from ingress.consent.consent_lists import ConsentLists
from ingress.http.large_bodies import LargeBodies
from ingress.infra.outbox import POLL_SECONDS, EnvelopeRelay
from ingress.messages.callbacks import CallbackWaiters
from ingress.settings import IngressSettings
from ingress.status.projection import StatusProjection
from ingress.webhooks.receipt_matcher import ReceiptMatcher
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
from spreader.http.service_client import QUERY_SECONDS, ServiceResponse, ServiceUnavailable
from spreader.kafka.bus import PublishFailed
from spreader.kafka.envelope import Envelope, decode
from spreader.media.store import MediaStore
from spreader.runtime.loop import Loop
from spreader.telemetry.tracing import NO_TRACING, Tracing
from spreader.testing import ManualClock, MemoryBus, MemoryTable
from spreader.testing.conformance import Conformance, checked_client
from spreader.vault import new_key

E = TypeVar("E", bound=Event)

KEY = "test-key"
SECRET_KEYS = new_key()

CREDENTIALS: dict[str, Callable[[str], dict[str, str]]] = {
    "cloud_api": lambda profile_id: {name: f"{name}-of-{profile_id}" for name in NAMES["cloud_api"]},
    "waha": lambda profile_id: {name: f"{name}-of-{profile_id}" for name in NAMES["waha"]},
    "evolution": lambda profile_id: {name: f"{name}-of-{profile_id}" for name in NAMES["evolution"]},
}
"""For each driver, a function that makes the credentials of a profile. Different profiles get different credentials."""


@functools.cache
def documented() -> Conformance:
    """The API's OpenAPI document, against which the test client checks every answer of the ingress."""
    return Conformance(build(IngressSettings(api_key=KEY)).openapi())


def signed(
    driver: str, profile_id: str, body: dict[str, Any] | bytes, secret: str | None = None, at: datetime | None = None
) -> dict[str, Any]:
    """The httpx arguments of a webhook call for a profile, with the signature that the profile's gateway would send."""
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    credentials = CREDENTIALS[driver](profile_id)
    if driver == "evolution":
        return {"content": raw, "headers": {"Authorization": f"Bearer {secret or credentials['webhook_token']}"}}
    if driver == "cloud_api":
        digest = hmac.new((secret or credentials["app_secret"]).encode(), raw, hashlib.sha256).hexdigest()
        return {"content": raw, "headers": {"X-Hub-Signature-256": f"sha256={digest}", "Authorization": ""}}
    digest = hmac.new((secret or credentials["hmac_key"]).encode(), raw, hashlib.sha512).hexdigest()
    timestamp = f"{(at or wall_now()).timestamp() * 1000:.0f}"
    return {
        "content": raw,
        "headers": {"X-Webhook-Hmac": digest, "X-Webhook-Timestamp": timestamp, "Authorization": ""},
    }


@dataclass
class MemoryLog(Generic[E]):
    """The bus to which the outbox relay publishes. It keeps every record, and puts the events of one kind into a
    table."""

    kind: type[E]
    table: MemoryTable[E]
    envelopes: list[Envelope] = field(default_factory=list)

    async def publish_envelopes(self, *envelopes: Envelope) -> None:
        for envelope in envelopes:
            self.envelopes.append(envelope)
            event = None if envelope.body is None else decode(envelope.topic, envelope.headers, envelope.body)
            if envelope.topic == self.kind.topic and (event is None or isinstance(event, self.kind)):
                self.table.set((envelope.key or b"").decode(), event)


@dataclass
class MemoryCallbacks:
    """Callbacks without Kafka."""

    partition: int = 7
    waiters: CallbackWaiters = field(default_factory=CallbackWaiters)


@dataclass
class FakeServiceClient:
    """Returns the response that a test set for a path, and is unavailable for all other paths."""

    responses: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    queries: list[tuple[str, Any]] = field(default_factory=list)

    async def query(
        self, path: str, body: Mapping[str, Any] | None = None, seconds: float = QUERY_SECONDS
    ) -> ServiceResponse:
        self.queries.append((path, body))
        if path not in self.responses:
            return ServiceUnavailable("the pacer does not respond (ClientConnectorError)")
        return self.responses[path]

    async def read(self, path: str) -> bytes | ServiceUnavailable | None:
        response = await self.query(path)
        return to_json(response) if isinstance(response, dict) else response


@dataclass
class RespondingBus(MemoryBus):
    """A bus that answers each request at once with the callback that the router or the sender would send."""

    callbacks: MemoryCallbacks = field(default_factory=MemoryCallbacks)
    profiles: tuple[str, ...] = ()
    """The profiles among which the router shares the recipients. Without profiles, the router sends no callback."""
    settles: Status | None = None
    """The outcome that each reply gets. If it is None, the sender sends no callback."""
    waiting_reason: str | None = None
    """Why no profile can send open deliveries. None if the profiles can send."""
    loses_acknowledgements: bool = False
    """Whether the bus publishes events but reports a failure, like a broker whose acknowledgement is lost."""

    async def publish(self, *events: Event) -> None:
        await super().publish(*events)
        for event in events:
            if isinstance(event, OpenMessageRequested) and self.profiles:
                self.callbacks.waiters.deliver(self._routed(event))
            if isinstance(event, ReplyMessageRequested) and self.settles is not None:
                self.callbacks.waiters.deliver(self._settled(event, self.settles))
        if self.loses_acknowledgements:
            raise PublishFailed("no acknowledgement came")

    def _routed(self, event: OpenMessageRequested) -> MessageRouted:
        if self.waiting_reason is not None:
            return MessageRouted(
                callback_partition=self.callbacks.partition,
                message_id=event.message_id,
                first_index=event.first_index,
                distribution={},
                waiting=len(event.recipients),
                reason=self.waiting_reason,
            )
        distribution = dict.fromkeys(self.profiles, 0)
        for index in range(len(event.recipients)):
            distribution[self.profiles[index % len(self.profiles)]] += 1
        return MessageRouted(
            callback_partition=self.callbacks.partition,
            message_id=event.message_id,
            first_index=event.first_index,
            distribution=distribution,
        )

    def _settled(self, event: ReplyMessageRequested, status: Status) -> ReplySettled:
        is_sent = status == "sent"
        return ReplySettled(
            callback_partition=self.callbacks.partition,
            message_id=event.message_id,
            status=status,
            at=self.now,
            profile_id="profile_2" if is_sent else None,
            reason=None if is_sent else "the gateway is away",
            failure=None if is_sent else "gateway",
        )


@dataclass
class System:
    """A running ingress, the substitutes around it, and steps that tests share."""

    http: httpx.AsyncClient
    app: FastAPI
    engine: AsyncEngine
    bus: RespondingBus
    log: MemoryLog[PackageConfigured]
    packages: MemoryTable[PackageConfigured]
    states: MemoryTable[ProfileState]
    clock: ManualClock
    router: FakeServiceClient
    pacer: FakeServiceClient
    sender: FakeServiceClient

    @property
    def projection(self) -> StatusProjection:
        return StatusProjection(self.engine)

    @property
    def consents(self) -> ConsentLists:
        return ConsentLists(self.engine, self.bus, self.clock)

    @property
    def receipts(self) -> ReceiptMatcher:
        return ReceiptMatcher(self.engine, self.bus)

    async def package(self, *profile_ids: str, package_id: str = "pkg", **settings: Any) -> None:
        """Creates a package with these profiles."""
        created = await self.http.post("/packages", json={"package_id": package_id, "name": "Orders", **settings})
        assert created.status_code == 201, created.text
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
        """Adds a profile at a gateway to package `pkg`. `like`: the profile whose credentials the new profile gets."""
        address = {"base_url": "http://127.0.0.1:3000", "account": profile_id}
        gateway = {"driver": driver, **address, "credentials": CREDENTIALS[driver](like or profile_id), **more}
        added = await self.http.post(
            "/packages/pkg/profiles",
            json={"profile_id": profile_id, "name": profile_id, "phone": "201000000099", "gateway": gateway},
        )
        assert added.status_code == 201, added.text
        return added.json()

    async def relay_outbox(self) -> None:
        """Publishes all records of the outbox."""
        relay = EnvelopeRelay(self.engine, self.log)
        while await relay.run_once() != POLL_SECONDS:
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
    tracing: Tracing = NO_TRACING,
) -> AsyncGenerator[System]:
    """Runs the ingress with a real Postgres. All else is in memory. `relaying`: whether a loop publishes the outbox."""
    callbacks, clock = MemoryCallbacks(), ManualClock(now)
    packages, states = MemoryTable[PackageConfigured](), MemoryTable[ProfileState]()
    bus = RespondingBus(now, callbacks=callbacks)
    log = MemoryLog(PackageConfigured, packages)
    relay = Loop("relay", EnvelopeRelay(engine, log).run_once)
    settings = IngressSettings(
        api_key=KEY,
        secret_keys=secret_keys,
        routed_wait_seconds=0.1,
        settled_wait_seconds=0.1,
        found_wait_seconds=1.0,
        body_bytes_max=2_000_000,
        media_hosts_allowed=media_hosts_allowed,
    )
    config_cache = IngressConfigCache(packages, states, wait_seconds=5)
    router, pacer, sender = FakeServiceClient(), FakeServiceClient(), FakeServiceClient()
    media = MediaStore("memory://", clock)
    await media.start()
    bodies = LargeBodies(*READERS)
    deps = Dependencies(
        *(settings, engine, bus, bus, config_cache, callbacks),
        *(router, pacer, sender, media, bodies, clock, relay.wake, tracing),
    )
    app = assemble(FastAPI(), deps)
    if relaying:
        await relay.start()
    try:
        headers = {"Authorization": f"Bearer {KEY}"}
        async with checked_client(app, "http://ingress/api/v1", headers, documented()) as http:
            yield System(http, app, engine, bus, log, packages, states, clock, router, pacer, sender)
    finally:
        await relay.stop()
        await bodies.stop()
