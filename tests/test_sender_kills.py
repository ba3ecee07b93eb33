"""Kills: a sender is killed with SIGKILL between requests and their answers, and the arrived messages are counted.

Real processes run on a real Kafka and Postgres. The simulated gateways write each send into their send ledger and then
hold the answer back, so a send in that ledger was requested and not answered when the sender dies. None of these
gateways has a lookup for deliveries (docs/delivery.md), and they send no receipts: the senders have no other evidence.
After each kill, the sender's ledger says which deliveries may be at their gateways. Only those may end as unknown.
"""

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from local.process.ports import free_port
from local.process.program import Command, spawn
from sender.core.delivery import Delivery
from sender.testing import released, reply
from sender.testing.contents import DRIVERS
from sender.testing.gateway_server import KEYS
from simulator.testing import ACCOUNTS, CREDENTIALS, SimulatorClient, fake_webhook, running_simulator
from spreader.clock import wall_now
from spreader.contract.configuration import Driver, Gateway, Package, Profile
from spreader.contract.events import DeliveryOutcome, Event, Lane, PackageConfigured
from spreader.kafka.envelope import decode, encode, read_headers
from spreader.settings import Settings
from spreader.vault import Vault

RECORDED = 200
SPARE = 3
"""Further kills, if those before interrupted too few requests: a slow sender gives up calls before its kill."""
SEED = 23
"""With it, the short run waits for 376 requests before its four kills: 125 for each driver."""
LIFE_SECONDS_MAX = 60.0
SETTLE_SECONDS_MAX = 90.0
CALL_SECONDS, LEASE_SECONDS = 20.0, 22.0
"""Longer than a sender lives in this test. Otherwise unanswered calls would open the circuit breaker, replies of dead
senders would fill the slots, and a sender might make no call before its kill."""
AT_ONCE = 10
POLL_SECONDS = 0.02
BASES = {"cloud_api": "/cloud/v23.0", "waha": "/waha", "evolution": "/evolution"}
LANES: tuple[Lane, ...] = ("open", "reply")
ENDED = ("sent", "unknown", "failed", "expired", "suppressed")
NEVER_ARRIVED_MAX = 0.01
"""The largest share of open deliveries that may end as unknown without having reached their gateway."""
NEVER_ARRIVED_FEW = 6
"""In a short run, so few deliveries say nothing about their share."""

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]

Line = Mapping[str, Any]
Way = tuple[Driver, Lane]


@dataclass
class KillTrial:
    """The gateways and the deliveries, each to its own recipient."""

    gateways: SimulatorClient
    package_id: str
    by_recipient: dict[str, tuple[Way, Delivery]] = field(default_factory=dict[str, tuple[Way, Delivery]])

    def package(self) -> PackageConfigured:
        profiles = tuple(self._profile(driver) for driver in DRIVERS)
        package = Package(package_id=self.package_id, version=1, name=self.package_id, profiles=profiles)
        return PackageConfigured(package=package, at=wall_now())

    def add(self, count: int) -> list[Delivery]:
        """Create `count` deliveries for each lane of each driver."""
        return [self._add(driver, lane) for _ in range(count) for driver in DRIVERS for lane in LANES]

    def _add(self, driver: Driver, lane: Lane) -> Delivery:
        now, person = wall_now(), f"2010{len(self.by_recipient):08}"
        fields: dict[str, Any] = {"package_id": self.package_id, "profile_id": f"prf_{driver}", "requested_at": now}
        name = f"{self.package_id}-{person}"
        if lane == "reply":
            delivery = reply(name, person).model_copy(update={**fields, "expires_at": now + timedelta(hours=2)})
        else:
            delivery = released(name, person).model_copy(update={**fields, "send_by": now + timedelta(hours=2)})
        self.by_recipient[person] = ((driver, lane), delivery)
        return delivery

    def _profile(self, driver: Driver) -> Profile:
        name, base_url = f"prf_{driver}", f"{self.gateways.address.geturl()}{BASES[driver]}"
        sealed = Vault(KEYS).seal(name, CREDENTIALS[driver])
        gateway = Gateway(driver=driver, base_url=base_url, account=ACCOUNTS[driver], sealed=sealed)
        return Profile(profile_id=name, name=name, phone="15550783881", gateway=gateway)


@dataclass
class Senders:
    """Runs one sender process after another under the same instance name, so that each gets its partitions at once."""

    environment: Mapping[str, str]
    log: Path

    @asynccontextmanager
    async def life(self) -> AsyncGenerator[Callable[[], datetime]]:
        """Starts a sender; yields a function that kills it and returns the time of the kill."""
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
            assert ended == -signal.SIGKILL, f"the sender ended before it was killed:\n{self.log.read_text()[-3000:]}"


@pytest.fixture
async def trial(tmp_path: Path, settings: Settings) -> AsyncGenerator[KillTrial]:
    async with running_simulator(tmp_path / "gateways", delivered_share=0) as gateways, fake_webhook() as hook:
        for driver in DRIVERS:
            await gateways.register_account(driver, hook.url)
        yield KillTrial(gateways, settings.database_url.rpartition("/")[2])


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


async def outcomes(servers: str, delivery_ids: frozenset[str]) -> dict[str, str]:
    """The final status of each delivery, by its id; waits until all have one."""
    ended = dict[str, str]()
    consumer = AIOKafkaConsumer(DeliveryOutcome.topic, bootstrap_servers=servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        async with asyncio.timeout(SETTLE_SECONDS_MAX):
            while ended.keys() != delivery_ids:
                record = await consumer.getone()
                event = decode(record.topic, read_headers(record.headers), record.value)
                if isinstance(event, DeliveryOutcome) and event.delivery_id in delivery_ids:
                    assert event.status in ENDED, f"{event.delivery_id} was {event.status}: {event.reason}"
                    assert ended.setdefault(event.delivery_id, event.status) == event.status, "it ended twice"
    except TimeoutError:
        missing = sorted(delivery_ids - ended.keys())
        raise AssertionError(
            f"{len(missing)} had no final status after {SETTLE_SECONDS_MAX:g} s: {missing[:3]}"
        ) from None
    finally:
        await consumer.stop()
    return ended


async def wait_for_sends(gateways: SimulatorClient, after: int, people: frozenset[str], count: int) -> None:
    """Waits until `count` of these recipients are in the send ledger after its first `after` lines."""
    until = time.monotonic() + LIFE_SECONDS_MAX
    while len(people & {line["recipient"] for line in await gateways.ledger(after)}) < count:
        assert time.monotonic() < until, f"not {count} of {len(people)} requests after {LIFE_SECONDS_MAX:g} s"
        await asyncio.sleep(POLL_SECONDS)


async def may_be_at_gateways(database_url: str) -> frozenset[str]:
    """The deliveries whose calls may have begun, by the sender's ledger."""
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch("SELECT delivery_id FROM sender.delivery WHERE state = 'sending'")
    finally:
        await connection.close()
    return frozenset(row["delivery_id"] for row in rows)


@pytest.mark.parametrize(
    ("kills", "count"),
    [(4, 20), pytest.param(RECORDED, 6, marks=[pytest.mark.recorded, pytest.mark.timeout(3_600)])],
)
async def test_no_open_delivery_arrives_twice_and_no_reply_three_times_however_often_the_sender_is_killed(
    trial: KillTrial,
    senders: Senders,
    settings: Settings,
    keep: Callable[[str, Mapping[str, Any]], None],
    kills: int,
    count: int,
) -> None:
    servers, chance, began = settings.kafka_bootstrap_servers, Random(SEED), time.monotonic()
    await write(servers, [trial.package()])
    fault_id = await trial.gateways.fault(kind="hang", at="after")
    interrupted, unanswered, before = Counter[Way](), Counter[str](), 0
    began_calls, least = set[str](), 1.5 * count * kills

    def fewest() -> int:
        return min(sum(interrupted[driver, lane] for lane in LANES) for driver in DRIVERS)

    killed = 0
    while killed < kills or (fewest() < least and killed < kills + SPARE):
        killed += 1
        added = trial.add(count)
        first, rest = frozenset([added[0].recipient]), frozenset(delivery.recipient for delivery in added[1:])
        await write(servers, added[:1])
        async with senders.life() as kill:
            await wait_for_sends(trial.gateways, before, first, 1)
            # The others arrive while it works: it dies with some sends at the gateway and some still on their way.
            writing = asyncio.create_task(write(servers, added[1:]))
            await wait_for_sends(trial.gateways, before, rest, chance.randint(1, len(rest)))
            died_at = kill()
            began_calls |= await may_be_at_gateways(settings.database_url)
            await writing
        await trial.gateways.wait_until("/concurrency", lambda body: body["now"] == 0)
        for line in (lines := await trial.gateways.ledger(before)):
            unanswered[line["recipient"]] += 1
            # If the sender lived longer than the call time-out, it gave the call up itself: not an interruption.
            if died_at - datetime.fromisoformat(line["wall"]) < timedelta(seconds=CALL_SECONDS - 1):
                interrupted[trial.by_recipient[line["recipient"]][0]] += 1
        before += len(lines)
    await trial.gateways.request("DELETE", f"/faults/{fault_id}")
    async with senders.life():
        ended = await outcomes(servers, frozenset(delivery.delivery_id for _, delivery in trial.by_recipient.values()))
    await trial.gateways.wait_until("/concurrency", lambda body: body["now"] == 0)
    lines = await trial.gateways.ledger()
    check(trial, lines, ended, unanswered, began_calls)
    figures = {
        "kills": killed,
        "seconds": round(time.monotonic() - began),
        **summary(trial, lines, ended, interrupted, began_calls),
    }
    assert fewest() >= least, interrupted
    if kills == RECORDED:
        keep("kills", figures)


def check(
    trial: KillTrial,
    lines: Sequence[Line],
    ended: Mapping[str, str],
    unanswered: Mapping[str, int],
    began_calls: Collection[str],
) -> None:
    arrived = Counter(line["recipient"] for line in lines if line["ok"])
    for person, ((driver, lane), delivery) in trial.by_recipient.items():
        status, times = ended[delivery.delivery_id], arrived[person]
        report = f"{driver}, {lane}: {person} is {status}, arrived {times} times, unanswered {unanswered[person]} times"
        assert status in ("sent", "unknown"), report
        assert times <= (1 if lane == "open" else 2), report
        assert times < 2 or unanswered[person], f"arrived twice without a kill: {report}"
        assert times or status == "unknown", f"counted as sent but never arrived: {report}"
        assert status != "unknown" or delivery.delivery_id in began_calls, f"unknown, but no call had begun: {report}"
    people = [person for person, ((_, lane), _) in trial.by_recipient.items() if lane == "open"]
    never = [person for person in people if not arrived[person]]
    assert len(never) <= max(NEVER_ARRIVED_MAX * len(people), NEVER_ARRIVED_FEW), f"{len(never)} never arrived"


def summary(
    trial: KillTrial,
    lines: Sequence[Line],
    ended: Mapping[str, str],
    interrupted: Mapping[Way, int],
    began_calls: Collection[str],
) -> dict[str, Any]:
    arrived = Counter(line["recipient"] for line in lines if line["ok"])
    counts = dict[str, Any]()
    for driver in DRIVERS:
        for lane in LANES:
            mine = {person: delivery for person, (way, delivery) in trial.by_recipient.items() if way == (driver, lane)}
            times = Counter(arrived[person] for person in mine)
            counts[f"{driver}, {lane}"] = {
                "deliveries": len(mine),
                "calls_begun_at_a_kill": sum(delivery.delivery_id in began_calls for delivery in mine.values()),
                "requests_interrupted": interrupted[driver, lane],
                "arrived_once": times[1],
                "arrived_twice": times[2],
                "arrived_more_often": sum(count for often, count in times.items() if often > 2),
                "never_arrived": times[0],
                "ended": dict(Counter(ended[delivery.delivery_id] for delivery in mine.values())),
            }
    return counts
