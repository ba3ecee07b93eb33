"""The ingress with real Kafka and Postgres: callbacks reach their request, changes are read back, statuses shown."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from ingress.app import build
from ingress.configuration.key_command import report_keys
from ingress.messages.callbacks import CallbackConsumer
from ingress.settings import IngressSettings
from ingress.testing import documented
from local.testbed.workbench import Workbench
from spreader.clock import Clock
from spreader.contract.content import TextContent
from spreader.contract.events import (
    AssignedDelivery,
    DeliveryOutcome,
    MessageRouted,
    OpenDeliveriesAssigned,
    OpenOptions,
    PackageConfigured,
)
from spreader.contract.ids import delivery_id
from spreader.kafka.client import KafkaBus, create_broker
from spreader.kafka.table import Table
from spreader.runtime.postgres import create_engine
from spreader.settings import Settings
from spreader.testing.conformance import checked_client
from spreader.vault import Vault, new_key

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]

NOW = Clock()
ASYNC = {"Prefer": "respond-async"}
WORDS: dict[str, Any] = {"type": "text", "text": "Hello", "recipients": ["201000000011", "201000000012"]}


@pytest.fixture
async def bus(settings: Settings) -> AsyncGenerator[KafkaBus]:
    broker = create_broker(settings, "test")
    await broker.start()
    yield KafkaBus(broker, "test", NOW)
    await broker.stop()


@contextlib.asynccontextmanager
async def serving(app: FastAPI) -> AsyncGenerator[httpx.AsyncClient]:
    headers = {"Authorization": "Bearer k"}
    async with (
        app.router.lifespan_context(app),
        checked_client(app, "http://ingress/api/v1", headers, documented()) as http,
    ):
        await until(lambda: _is_ready(http))
        yield http


async def _is_ready(http: httpx.AsyncClient) -> bool:
    return (await http.get("http://ingress/health/ready")).status_code == 200


async def until(satisfied: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await satisfied():
            await asyncio.sleep(0.05)


def routed(message_id: str, partition: int, first_index: int = 0) -> MessageRouted:
    return MessageRouted(
        callback_partition=partition, message_id=message_id, first_index=first_index, distribution={"a": 2}
    )


async def test_a_callback_reaches_the_request_that_waits_on_this_instance(settings: Settings, bus: KafkaBus) -> None:
    callbacks = CallbackConsumer(settings)
    await bus.publish(*(routed("msg_early", partition) for partition in range(16)))
    await callbacks.start()
    place = callbacks.partition
    with callbacks.waiters.expect("msg_1", 2) as waiter, callbacks.waiters.expect("msg_early", 1) as early:
        repeats = [routed("msg_1", place), routed("msg_1", place), routed("msg_other", place)]
        await bus.publish(*repeats, routed("msg_1", place, first_index=500))
        answers = await waiter.wait(30)
        assert await early.wait(0) is None
    assert answers is not None
    assert [each.event_id for each in answers] == ["msg_1/0/routed", "msg_1/500/routed"]
    await callbacks.stop()


async def test_the_ingress_from_its_start_to_the_shown_delivery(settings: Settings, bus: KafkaBus) -> None:
    own = IngressSettings(
        api_key="k", kafka_bootstrap_servers=settings.kafka_bootstrap_servers, database_url=settings.database_url,
        configured_wait_seconds=60, found_wait_seconds=60,
    )  # fmt: skip
    async with serving(build(own)) as http:
        package_id, profile_id = await _package(http)
        sent = await http.post(f"/packages/{package_id}/messages/open", json=WORDS, headers=ASYNC)
        assert sent.status_code == 202
        message_id = sent.json()["message_id"]
        message = (await http.get(f"/messages/{message_id}")).json()
        assert (message["recipients"], message["status"]) == (2, "queued")
        await bus.publish(*_fates(package_id, profile_id, message_id))
        await until(lambda: _has_status(http, message_id, "in_progress"))
        counts = (await http.get(f"/messages/{message_id}")).json()["counts"]
        assert (counts["held"], counts["sent"]) == (1, 1)
        read_back = Table(settings, PackageConfigured)
        assert (await http.delete(f"/packages/{package_id}")).status_code == 204
        await read_back.start()
        removal = read_back.get(package_id)
        assert removal is not None
        assert removal.removed
        await read_back.stop()
        assert (await http.post(f"/packages/{package_id}/messages/open", json=WORDS)).status_code == 404


async def _package(http: httpx.AsyncClient) -> tuple[str, str]:
    """Creates a package with a profile; this process has read both back from Kafka when it returns."""
    package_id: str = (await http.post("/packages", json={"name": "Orders"})).json()["package_id"]
    none = await http.post(f"/packages/{package_id}/messages/open", json=WORDS)
    assert none.status_code == 409
    profile = {"name": "Sales", "phone": "201001234567", "gateway": {"driver": "simulator"}}
    added = await http.post(f"/packages/{package_id}/profiles", json=profile)
    return package_id, added.json()["profile_id"]


def _fates(package_id: str, profile_id: str, message_id: str) -> tuple[OpenDeliveriesAssigned, DeliveryOutcome]:
    people: list[str] = WORDS["recipients"]
    deliveries = tuple(
        AssignedDelivery(delivery_id=delivery_id(message_id, each), recipient=each, profile_id=profile_id, index=place)
        for place, each in enumerate(people)
    )
    assigned = OpenDeliveriesAssigned(
        package_id=package_id, message_id=message_id, content=TextContent(type="text", text="Hello"),
        options=OpenOptions(), requested_at=NOW(), strategy="round_robin", deliveries=deliveries,
    )  # fmt: skip
    outcome = DeliveryOutcome(
        package_id=package_id, message_id=message_id, delivery_id=deliveries[0].delivery_id, recipient=people[0],
        lane="open", status="sent", at=NOW(), profile_id=profile_id,
    )  # fmt: skip
    return assigned, outcome


async def _has_status(http: httpx.AsyncClient, message_id: str, status: str) -> bool:
    message = (await http.get(f"/messages/{message_id}")).json()
    return message["status"] == status and message["counts"]["sent"] == 1


async def test_after_a_change_of_the_key_nothing_needs_the_old_one(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = new_key(), new_key()
    own = IngressSettings(
        api_key="k, key-before", kafka_bootstrap_servers=settings.kafka_bootstrap_servers,
        database_url=settings.database_url, secret_keys=old, reseal_after_seconds=0,
    )  # fmt: skip
    rotated = own.model_copy(update={"secret_keys": f"{new},{old}"})
    gateway = {"driver": "waha", "base_url": "http://127.0.0.1:1", "credentials": {"api_key": "a", "hmac_key": "h"}}
    async with serving(build(own)) as http:
        package_id: str = (await http.post("/packages", json={"name": "Sealed"})).json()["package_id"]
        profile = {"name": "Sales", "phone": "201001234567", "gateway": gateway}
        added = await http.post(f"/packages/{package_id}/profiles", json=profile)
        profile_id: str = added.json()["profile_id"]
        assert await report_keys(rotated) is False
        assert "Keep the key" in capsys.readouterr().out
    read_back = Table(settings, PackageConfigured)
    await read_back.start()

    def is_resealed() -> bool:
        row = read_back.get(package_id)
        sealed = row and row.package.profiles and row.package.profiles[0].gateway.sealed
        return bool(sealed) and Vault(new).key_of(str(sealed)) is not None

    assert not is_resealed()
    async with serving(build(rotated)) as http:
        assert await read_back.wait_for(is_resealed, 30)
        http.headers["Authorization"] = "Bearer key-before"
        assert (await http.get(f"/packages/{package_id}")).json()["version"] == 2
    await read_back.stop()
    row = read_back.get(package_id)
    assert row is not None
    sealed = row.package.profiles[0].gateway.sealed or ""
    assert dict(Vault(new).open(profile_id, sealed)) == gateway["credentials"]
    capsys.readouterr()
    await report_keys(rotated)  # other tests leave packages in the topic that no key of this one opens
    report = capsys.readouterr().out
    assert f"key {Vault(new).key_ids[0]} (newest): 1 in ingress.profile, 0 in ingress.outbox, 1 in the topic" in report
    assert f"You may take out the key {Vault(old).key_ids[0]}" in report
    with pytest.raises(SystemExit, match="SPREADER_SECRET_KEYS is not set"):
        await report_keys(own.model_copy(update={"secret_keys": None}))


async def test_while_kafka_is_down_callers_get_503_within_5_s_and_all_works_again_without_a_restart(
    settings: Settings, servers: Workbench
) -> None:
    own = IngressSettings(
        api_key="k", kafka_bootstrap_servers=settings.kafka_bootstrap_servers, database_url=settings.database_url,
        configured_wait_seconds=2.5,
    )  # fmt: skip
    async with serving(build(own)) as http:
        package_id, _ = await _package(http)
        path = f"/packages/{package_id}/messages/open"
        await asyncio.to_thread(servers.kafka.kill)
        try:
            for _ in range(3):  # the first may come before the process knows that Kafka is down
                async with asyncio.timeout(5):
                    answer = await http.post(path, json=WORDS, headers=ASYNC)
                assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
            async with asyncio.timeout(5):
                changed = await http.patch(f"/packages/{package_id}", json={"name": "Changed"})
            assert changed.status_code == 200
            await until(lambda: _is_unready_for(http, "kafka"))
        finally:
            await asyncio.to_thread(servers.kafka.start)
        await until(lambda: _is_accepted(http, path))
        await until(lambda: _is_ready(http))


async def _is_unready_for(http: httpx.AsyncClient, part: str) -> bool:
    return part in (await http.get("http://ingress/health/ready")).json()["reasons"]


async def _is_accepted(http: httpx.AsyncClient, path: str) -> bool:
    return (await http.post(path, json=WORDS, headers=ASYNC)).status_code == 202


async def test_a_package_of_a_thousand_profiles_with_the_longest_fields_takes_effect(
    settings: Settings, bus: KafkaBus
) -> None:
    """The issue saw 61 of them exceed the largest record: then no change of any package took effect."""
    own = IngressSettings(
        api_key="k", kafka_bootstrap_servers=settings.kafka_bootstrap_servers, database_url=settings.database_url,
        configured_wait_seconds=60,
    )  # fmt: skip
    async with serving(build(own)) as http:
        package_id: str = (await http.post("/packages", json={"name": "Large"})).json()["package_id"]
        engine = create_engine(settings, "test")
        async with engine.begin() as connection:
            await connection.execute(LONGEST_PROFILES, {"package_id": package_id})
        await engine.dispose()
        assert (await http.post(f"/packages/{package_id}/pause")).json()["paused"] is True
        read_back = Table(settings, PackageConfigured)
        await read_back.start()
        row = read_back.get(package_id)
        assert row is not None
        assert (row.package.paused, len(row.package.profiles)) == (True, 1_000)
        assert {len(profile.gateway.sealed or "") for profile in row.package.profiles} == {SEALED_CHARACTERS}
        other: str = (await http.post("/packages", json={"name": "Small"})).json()["package_id"]
        assert await read_back.wait_for(lambda: read_back.get(other) is not None, 30)
        await read_back.stop()


SEALED_CHARACTERS = 14_000
LONGEST_PROFILES = text(f"""
INSERT INTO ingress.profile (profile_id, package_id, settings, created_at, updated_at)
SELECT rpad(md5(:package_id || number), 64, '0'), :package_id, jsonb_build_object(
    'name', repeat('n', 200), 'phone', '201000000001', 'weight', null, 'limits', jsonb_build_object(),
    'gateway', jsonb_build_object('driver', 'cloud_api', 'base_url', 'https://' || repeat('b', 2040),
        'account', repeat('a', 200), 'sealed', repeat('s', {SEALED_CHARACTERS}), 'holder', repeat('h', 16),
        'holder_since', '2026-03-01T12:00:00.123456+00:00')),
    now(), now()
FROM generate_series(1, 1000) AS number""")
