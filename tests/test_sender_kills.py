"""Kills: a sender killed with -9 between the request and its answer, on each real wire, and who got what how often.

Real processes on a real Kafka and Postgres. The simulated gateways write each send into their ledger and then hold the
answer back, so whatever stands in it when the sender dies was asked for and not answered. None of these gateways can be
asked about a delivery (docs/delivery.md), and no receipt comes: nobody can know more than what is shown here.
"""

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from local.ports import free_port
from local.program import Command, spawn
from sender.core.delivery import Delivery
from sender.testing import released, reply
from sender.testing.contents import DRIVERS
from sender.testing.gateway_server import KEYS
from simulator.testing import ACCOUNTS, CREDENTIALS, Caller, serving, webhook
from spreader.clock import wall_now
from spreader.contract.configuration import Driver, Gateway, Package, Profile
from spreader.contract.events import DeliveryOutcome, Event, Lane, PackageConfigured
from spreader.kafka.envelope import decode, encode, read_headers
from spreader.settings import Settings
from spreader.vault import Vault

RECORDED = 200
LIFE_SECONDS_MAX = 60.0
SETTLE_SECONDS_MAX = 90.0
CALL_SECONDS, LEASE_SECONDS = 20.0, 22.0
"""Longer than a life: calls that end unanswered open the breaker, and replies that are taken over fill the slots; then
the sender rightly leaves the gateway alone, and a life may not get as far as its kill."""
AT_ONCE = 10
POLL_SECONDS = 0.02
BASES = {"cloud_api": "/cloud/v23.0", "waha": "/waha", "evolution": "/evolution"}
LANES: tuple[Lane, ...] = ("open", "reply")
ENDED = ("sent", "unknown", "failed", "expired", "suppressed")

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]

Line = Mapping[str, Any]
Way = tuple[Driver, Lane]


@dataclass
class Town:
    """The gateways, and the deliveries that were asked for, each to a recipient of its own."""

    gateways: Caller
    package_id: str
    asked: dict[str, tuple[Way, Delivery]] = field(default_factory=dict[str, tuple[Way, Delivery]])

    def package(self) -> PackageConfigured:
        profiles = tuple(self._profile(driver) for driver in DRIVERS)
        package = Package(package_id=self.package_id, version=1, name=self.package_id, profiles=profiles)
        return PackageConfigured(package=package, at=wall_now())

    def ask(self, each: int) -> list[Delivery]:
        """So many fresh deliveries of each lane on each wire."""
        return [self._ask(driver, lane) for _ in range(each) for driver in DRIVERS for lane in LANES]

    def _ask(self, driver: Driver, lane: Lane) -> Delivery:
        now, person = wall_now(), f"2010{len(self.asked):08}"
        said: dict[str, Any] = {"package_id": self.package_id, "profile_id": f"prf_{driver}", "requested_at": now}
        name = f"{self.package_id}-{person}"
        if lane == "reply":
            asked = reply(name, person).model_copy(update={**said, "expires_at": now + timedelta(hours=2)})
        else:
            asked = released(name, person).model_copy(update={**said, "send_by": now + timedelta(hours=2)})
        self.asked[person] = ((driver, lane), asked)
        return asked

    def _profile(self, driver: Driver) -> Profile:
        name, base_url = f"prf_{driver}", f"{self.gateways.address.geturl()}{BASES[driver]}"
        sealed = Vault(KEYS).seal(name, CREDENTIALS[driver])
        gateway = Gateway(driver=driver, base_url=base_url, account=ACCOUNTS[driver], sealed=sealed)
        return Profile(profile_id=name, name=name, phone="15550783881", gateway=gateway)


@dataclass
class Senders:
    """One process of the sender after the other, each under the same name: it has its partitions back at once."""

    environment: Mapping[str, str]
    log: Path

    @asynccontextmanager
    async def life(self) -> AsyncGenerator[Callable[[], datetime]]:
        """A sender that starts; what is yielded kills it and answers when."""
        with self.log.open("ab") as output:
            process = spawn(Command([sys.executable, "-m", "sender"], self.environment), output)

        def kill() -> datetime:
            os.kill(process.pid, signal.SIGKILL)
            return wall_now()

        try:
            yield kill
        finally:
            process.kill()
            ended = process.wait()
            assert ended == -signal.SIGKILL, f"the sender ended by itself:\n{self.log.read_text()[-3000:]}"


@pytest.fixture
async def town(tmp_path: Path, settings: Settings) -> AsyncGenerator[Town]:
    async with serving(tmp_path / "gateways", delivered_share=0) as gateways, webhook() as hook:
        for driver in DRIVERS:
            await gateways.set_up(driver, hook.url)
        yield Town(gateways, settings.database_url.rpartition("/")[2])


@pytest.fixture
def senders(tmp_path: Path, settings: Settings) -> Senders:
    own = {
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "DATABASE_URL": settings.database_url,
        "SECRET_KEYS": KEYS,
        "MEDIA_STORE": f"file:{tmp_path / 'media'}",
        "INSTANCE": "killed",
        "LOG_LEVEL": "ERROR",
        "SENDER_PORT": str(free_port()),
        "SENDER_CALL_SECONDS": str(CALL_SECONDS),
        "SENDER_LEASE_SECONDS": str(LEASE_SECONDS),
    }
    given = {name: value for name, value in os.environ.items() if not name.startswith("SPREADER_")}
    return Senders({**given, **{f"SPREADER_{name}": value for name, value in own.items()}}, tmp_path / "sender.log")


async def write(servers: str, events: Sequence[Event]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=servers, acks="all") as producer:
        for start in range(0, len(events), AT_ONCE):
            sent = list[asyncio.Future[Any]]()
            for record in [encode(event, "test", wall_now()) for event in events[start : start + AT_ONCE]]:
                headers = [(name, value.encode()) for name, value in record.headers.items()]
                sent.append(await producer.send(record.topic, record.body, key=record.key, headers=headers))
            await asyncio.gather(*sent)


async def outcomes(servers: str, asked: frozenset[str]) -> dict[str, str]:
    """How each delivery ended, by its id, when all have."""
    ended = dict[str, str]()
    consumer = AIOKafkaConsumer(DeliveryOutcome.topic, bootstrap_servers=servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        async with asyncio.timeout(SETTLE_SECONDS_MAX):
            while ended.keys() != asked:
                record = await consumer.getone()
                event = decode(record.topic, read_headers(record.headers), record.value)
                if isinstance(event, DeliveryOutcome) and event.delivery_id in asked:
                    assert event.status in ENDED, f"{event.delivery_id} was {event.status}: {event.reason}"
                    assert ended.setdefault(event.delivery_id, event.status) == event.status, "it ended twice"
    except TimeoutError:
        missing = sorted(asked - ended.keys())
        raise AssertionError(f"{len(missing)} had no end after {SETTLE_SECONDS_MAX:g} s: {missing[:3]}") from None
    finally:
        await consumer.stop()
    return ended


async def asked_for(gateways: Caller, after: int, people: frozenset[str], count: int) -> None:
    """Until so many of these people stand in the ledger beyond its first `after` lines."""
    until = time.monotonic() + LIFE_SECONDS_MAX
    while len(people & {line["recipient"] for line in await gateways.ledger(after)}) < count:
        assert time.monotonic() < until, f"not {count} of {len(people)} requests after {LIFE_SECONDS_MAX:g} s"
        await asyncio.sleep(POLL_SECONDS)


@pytest.mark.parametrize(
    ("kills", "each"),
    [(4, 20), pytest.param(RECORDED, 6, marks=[pytest.mark.recorded, pytest.mark.timeout(3_600)])],
)
async def test_no_open_delivery_arrives_twice_and_no_reply_three_times_however_often_the_sender_is_killed(
    town: Town,
    senders: Senders,
    settings: Settings,
    keep: Callable[[str, Mapping[str, Any]], None],
    kills: int,
    each: int,
) -> None:
    servers, chance, began = settings.kafka_bootstrap_servers, Random(11), time.monotonic()
    await write(servers, [town.package()])
    held = await town.gateways.fault(kind="hang", at="after")
    interrupted, unanswered, before = Counter[Way](), Counter[str](), 0
    for _ in range(kills):
        asked = town.ask(each)
        first, rest = frozenset([asked[0].recipient]), frozenset(delivery.recipient for delivery in asked[1:])
        await write(servers, asked[:1])
        async with senders.life() as kill:
            await asked_for(town.gateways, before, first, 1)
            # The others come by and by while it works: it dies with some at the gateway, some on their way there.
            writing = asyncio.create_task(write(servers, asked[1:]))
            await asked_for(town.gateways, before, rest, chance.randint(1, len(rest)))
            died_at = kill()
            await writing
        await town.gateways.until("/concurrency", lambda found: found["now"] == 0)
        for line in (lines := await town.gateways.ledger(before)):
            unanswered[line["recipient"]] += 1
            # A sender that lived longer than a call may take has given the call up by itself: that is no interruption.
            if died_at - datetime.fromisoformat(line["wall"]) < timedelta(seconds=CALL_SECONDS - 1):
                interrupted[town.asked[line["recipient"]][0]] += 1
        before += len(lines)
    await town.gateways.ask("DELETE", f"/faults/{held}")
    async with senders.life():
        ended = await outcomes(servers, frozenset(delivery.delivery_id for _, delivery in town.asked.values()))
    await town.gateways.until("/concurrency", lambda found: found["now"] == 0)
    lines = await town.gateways.ledger()
    judge(town, lines, ended, unanswered)
    figures = {"kills": kills, "seconds": round(time.monotonic() - began), **told(town, lines, ended, interrupted)}
    for driver in DRIVERS:
        assert sum(interrupted[driver, lane] for lane in LANES) >= 1.5 * each * kills, interrupted
    if kills == RECORDED:
        keep("kills", figures)


def judge(town: Town, lines: Sequence[Line], ended: Mapping[str, str], unanswered: Mapping[str, int]) -> None:
    arrived = Counter(line["recipient"] for line in lines if line["ok"])
    for person, ((driver, lane), asked) in town.asked.items():
        status, times = ended[asked.delivery_id], arrived[person]
        who = f"{driver}, {lane}: {person} is {status}, arrived {times} times, unanswered {unanswered[person]} times"
        assert status in ("sent", "unknown"), who
        assert times <= (1 if lane == "open" else 2), who
        assert times < 2 or unanswered[person], f"twice, and not for a kill: {who}"
        assert times or status == "unknown", f"said to be sent, and nobody got it: {who}"


def told(town: Town, lines: Sequence[Line], ended: Mapping[str, str], interrupted: Mapping[Way, int]) -> dict[str, Any]:
    arrived = Counter(line["recipient"] for line in lines if line["ok"])
    found = dict[str, Any]()
    for driver in DRIVERS:
        for lane in LANES:
            mine = {person: asked for person, (way, asked) in town.asked.items() if way == (driver, lane)}
            times = Counter(arrived[person] for person in mine)
            found[f"{driver}, {lane}"] = {
                "deliveries": len(mine),
                "requests_interrupted": interrupted[driver, lane],
                "arrived_once": times[1],
                "arrived_twice": times[2],
                "arrived_more_often": sum(count for often, count in times.items() if often > 2),
                "never_arrived": times[0],
                "ended": dict(Counter(ended[asked.delivery_id] for asked in mine.values())),
            }
    return found
