"""Ten thousand receipts, doubled, shuffled and in batches: every delivery gets its final status and is counted once.

Ingress and stats run as services on real Kafka and Postgres.
"""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.app import build
from ingress.settings import IngressSettings
from ingress.testing import CREDENTIALS, SECRET_KEYS, signed
from spreader.clock import Clock
from spreader.contract.events import DeliveryOutcome
from spreader.contract.ids import delivery_id
from spreader.kafka.client import KafkaBus, create_broker
from spreader.runtime.postgres import create_engine
from spreader.settings import Settings
from stats.app import build as build_stats
from stats.settings import StatsSettings

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]

FATES: dict[str, tuple[str, ...]] = {
    "sent": ("sent",),
    "delivered": ("sent", "delivered"),
    "read": ("sent", "delivered", "read"),
    "read without delivered": ("sent", "read"),
    "failed": ("sent", "failed"),
    "failed and delivered after all": ("sent", "failed", "delivered"),
    "silent": (),
}
"""What Meta reports on a delivery, in order. Receipts may arrive in any order."""
SHOWN = {"read without delivered": "read", "failed and delivered after all": "delivered", "silent": "sent"}
EACH = 769  # for each of the seven fates, which have 13 receipts together: 9,997
CALLS_MAX = 5
MORE = 3  # more of the first fate: 10,000
COUNTED = {"sent": len(FATES) * EACH + MORE, "delivered": 4 * EACH, "read": 2 * EACH, "failed": 2 * EACH}
"""A read message counts as delivered. A message that was delivered after a reported failure counts as both."""
NOW = Clock()


@pytest.fixture
async def engine(settings: Settings) -> AsyncGenerator[AsyncEngine]:
    """Uses the database of a service that runs in this test and creates its own tables."""
    engine = create_engine(settings, "ingress")
    yield engine
    await engine.dispose()


@pytest.fixture
async def bus(settings: Settings) -> AsyncGenerator[KafkaBus]:
    broker = create_broker(settings, "test")
    await broker.start()
    yield KafkaBus(broker, "test", NOW)
    await broker.stop()


async def until(satisfied: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(200):
        while not await satisfied():
            await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def serving(settings: Settings) -> AsyncGenerator[httpx.AsyncClient]:
    own = IngressSettings(
        api_key="k",
        secret_keys=SECRET_KEYS,
        kafka_bootstrap_servers=settings.kafka_bootstrap_servers,
        database_url=settings.database_url,
        configured_wait_seconds=60,
        found_wait_seconds=60,
    )
    app = build(own)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    key = {"Authorization": "Bearer k"}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://ingress/api/v1", headers=key, timeout=60) as http,
    ):

        async def is_ready() -> bool:
            return (await http.get("http://ingress/health/ready")).status_code == 200

        await until(is_ready)
        yield http


@contextlib.asynccontextmanager
async def counting(settings: Settings) -> AsyncGenerator[httpx.AsyncClient]:
    app = build_stats(StatsSettings(**settings.model_dump(), api_key="k"))
    key = {"Authorization": "Bearer k"}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://stats/api/v1", headers=key) as http,
    ):
        yield http


def receipts(fates: Mapping[str, str], draw: random.Random) -> list[dict[str, Any]]:
    """Each receipt twice; half of them carry our delivery id, the others only the gateway's."""
    shuffled: list[dict[str, Any]] = []
    for number, (name, fate) in enumerate(fates.items()):
        for status in FATES[fate]:
            receipt: dict[str, Any] = {"id": f"wamid.{name}", "status": status, "timestamp": "1750263773"}
            if number % 2:
                receipt["biz_opaque_callback_data"] = name
            if status == "failed":
                receipt["errors"] = [{"code": 131026, "title": "Message undeliverable"}]
            shuffled += [receipt, receipt]
    draw.shuffle(shuffled)
    return shuffled


def batches(receipts: list[dict[str, Any]], draw: random.Random) -> list[dict[str, Any]]:
    """Webhook bodies with one to four changes of up to thirty receipts each."""
    bodies: list[dict[str, Any]] = []
    while receipts:
        changes = list[dict[str, Any]]()
        for _ in range(draw.randint(1, 4)):
            size = draw.randint(1, 30)
            some, receipts = receipts[:size], receipts[size:]
            changes.append({"field": "messages", "value": {"metadata": {"phone_number_id": "a"}, "statuses": some}})
        bodies.append({"entry": [{"id": "1", "changes": changes}]})
    return bodies


async def set_up(http: httpx.AsyncClient, people: list[str]) -> tuple[str, str]:
    package_id: str = (await http.post("/packages", json={"name": "Orders"})).json()["package_id"]
    gateway = {"driver": "cloud_api", "account": "a", "credentials": CREDENTIALS["cloud_api"]("a")}
    added = await http.post(
        f"/packages/{package_id}/profiles", json={"name": "Sales", "phone": "201000000099", "gateway": gateway}
    )
    message = {"type": "text", "text": "Hello", "recipients": people}
    sent = await http.post(f"/packages/{package_id}/messages/open", json=message, headers={"Prefer": "respond-async"})
    assert sent.status_code == 202, sent.text
    return f"{package_id}/{added.json()['profile_id']}", sent.json()["message_id"]


def sent(profile_path: str, message_id: str, people: list[str]) -> list[DeliveryOutcome]:
    """What the sender reports on each delivery."""
    package_id, _, profile_id = profile_path.partition("/")
    return [
        DeliveryOutcome(
            package_id=package_id,
            message_id=message_id,
            delivery_id=delivery_id(message_id, person),
            recipient=person,
            lane="open",
            status="sent",
            at=NOW(),
            profile_id=profile_id,
            gateway_message_id=f"wamid.{delivery_id(message_id, person)}",
        )
        for person in people
    ]


async def test_every_delivery_gets_its_final_status_and_is_counted_once(
    settings: Settings, engine: AsyncEngine, bus: KafkaBus
) -> None:
    draw = random.Random(6)
    kinds = [fate for fate in FATES for _ in range(EACH)] + ["sent"] * MORE
    people = [f"2010{number:08d}" for number in range(len(kinds))]
    async with serving(settings) as http, counting(settings) as stats:
        profile_path, message_id = await set_up(http, people)
        fates: dict[str, str] = {
            delivery_id(message_id, person): fate for person, fate in zip(people, kinds, strict=True)
        }
        reported = receipts(fates, draw)
        assert len(reported) == 20_000
        outcomes = sent(profile_path, message_id, people)
        draw.shuffle(outcomes)
        await bus.publish(*outcomes[: len(outcomes) // 2])  # the others arrive among and after their receipts
        bodies = batches(reported, draw)
        await report(http, profile_path, bodies[: len(bodies) // 2])
        assert await scalar(engine, "SELECT count(*) FROM ingress.receipt_waiting") > 0
        await bus.publish(*outcomes[len(outcomes) // 2 :])
        await report(http, profile_path, bodies[len(bodies) // 2 :])
        expected = Counter(SHOWN.get(fate, fate) for fate in kinds)

        async def is_right() -> bool:
            counts = (await http.get(f"/messages/{message_id}")).json()["counts"]
            return {status: number for status, number in counts.items() if number} == expected

        await until(is_right)
        assert await states(engine, message_id) == {name: SHOWN.get(fate, fate) for name, fate in fates.items()}

        async def none_waits() -> bool:
            return await scalar(engine, "SELECT count(*) FROM ingress.receipt_waiting") == 0

        await until(none_waits)

        async def counted() -> dict[str, int]:
            response = await stats.get(f"/reports/messages/{message_id}")
            return {name: response.json().get(name, 0) for name in COUNTED}

        async def has_counted_all() -> bool:
            return all(count >= COUNTED[name] for name, count in (await counted()).items())

        await until(has_counted_all)
        assert await counted() == COUNTED


async def report(http: httpx.AsyncClient, profile_path: str, bodies: list[dict[str, Any]]) -> None:
    """Sends eight calls at a time, and repeats a call after a 503, as gateways do."""
    gate = asyncio.Semaphore(8)

    async def one(body: dict[str, Any]) -> int:
        status = 503
        async with gate:
            for _ in range(CALLS_MAX):
                if status == 503:
                    call = http.post(f"/webhooks/cloud_api/{profile_path}", **signed("cloud_api", "a", body))
                    status = (await call).status_code
        return status

    assert set(await asyncio.gather(*map(one, bodies))) == {200}


async def states(engine: AsyncEngine, message_id: str) -> dict[str, str]:
    """The status of each delivery of one message; the table may contain others, of earlier tests."""
    statement = text("SELECT delivery_id, status FROM ingress.delivery WHERE message_id = :message_id")
    async with engine.connect() as connection:
        rows = await connection.execute(statement, {"message_id": message_id})
        return {row.delivery_id: row.status for row in rows}


async def scalar(engine: AsyncEngine, statement: str) -> Any:
    async with engine.connect() as connection:
        return (await connection.execute(text(statement))).scalar_one()
