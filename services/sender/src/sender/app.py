"""Assembly of the sender: the one place that knows which parts are real."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

from fastapi import FastAPI

from sender.drivers.simulator import SimulatorDriver, Timeouts
from sender.handlers import Intake
from sender.lane import Lane
from sender.outbox import Outbox
from sender.postgres import Ledger
from sender.profiles import Profiles
from sender.registration import Registration
from sender.results import Results
from sender.row import ASKED
from sender.sending import Sending
from sender.settings import LEASE_MARGIN_SECONDS, SenderSettings
from spreader import events
from spreader.boundary import Boundary
from spreader.clock import Clock, clock_from_environment
from spreader.consents import Consents, Following
from spreader.events import ConsentChanged, PackageConfigured
from spreader.ids import new_id
from spreader.kafka import KafkaBus, create_broker
from spreader.loop import Loop
from spreader.part import Part
from spreader.parts import Kafka, Postgres
from spreader.positions import LivePositions
from spreader.postgres import create_engine
from spreader.service import Service
from spreader.table import Table

SERVICE = "sender"
REGISTRATION_CONNECTIONS = 16
FORGET_ROWS_MAX = 1_000
FORGET_EVERY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Shared:
    """What both lanes read, and neither can be slowed by."""

    settings: SenderSettings
    clock: Clock
    profiles: Profiles
    worker: str
    timeouts: Timeouts


def build(settings: SenderSettings) -> FastAPI:
    clock = clock_from_environment()
    timeouts = Timeouts(settings.sender_connect_seconds, settings.sender_call_seconds)
    registrar = SimulatorDriver(REGISTRATION_CONNECTIONS, timeouts, settings.ingress_url, "registration driver")
    registration = Registration({"simulator": registrar})
    packages = Table(settings, PackageConfigured, registration.on_change)
    worker = f"{settings.instance or SERVICE}/{new_id('wrk', clock())}"
    shared = Shared(settings, clock, Profiles(packages), worker, timeouts)
    service = Service(
        SERVICE,
        [
            packages,
            registrar,
            registration,
            *build_lane(shared, "reply", settings.sender_reply_concurrency, group_seconds=0),
            *build_lane(shared, "open", settings.sender_open_concurrency, settings.sender_group_seconds),
        ],
    )
    return service.app(title="Spreader sender")


def build_lane(shared: Shared, lane: events.Lane, limit: int, group_seconds: float) -> Sequence[Part]:
    """One lane with everything of its own: consumer, producer, connections to Postgres and to the gateways, workers.

    The producer stands on a broker apart: it goes on publishing results when the consumer has stopped.
    """
    settings, clock, asked = shared.settings, shared.clock, ASKED[lane]
    engine = create_engine(settings, f"{SERVICE}-{lane}")
    producing, consuming = create_broker(settings, f"{SERVICE}-{lane}"), create_broker(settings, f"{SERVICE}-{lane}")
    bus = KafkaBus(producing, SERVICE, clock)
    positions = LivePositions(settings, engine, SERVICE, (asked.topic, ConsentChanged.topic))
    driver = SimulatorDriver(limit, shared.timeouts, settings.ingress_url, f"simulator driver of the {lane} lane")

    ledger = Ledger(engine, positions, lane, shared.worker, settings.lease)
    outbox = Outbox(ledger, bus)
    results = Results(ledger, outbox, group_seconds)
    call_seconds = settings.sender_call_seconds + LEASE_MARGIN_SECONDS / 2
    sending = Sending(
        ledger, shared.profiles, {"simulator": driver}, clock, clock.speed, Random(os.urandom(8)), call_seconds
    )
    work = Lane(ledger, sending, results, limit, settings.sender_drain_seconds)
    boundary = Boundary(f"{SERVICE}-{lane}", Intake(ledger, work).on_asked, (asked,), bus)
    boundaries: list[Boundary[Any]] = [boundary]
    if lane == "open":
        following = Following(engine, positions, Consents(SERVICE))
        boundaries.append(Boundary(f"{SERVICE}-{lane}", following.on_changed, (ConsentChanged,), bus))
    for each in boundaries:
        each.listen(consuming, settings)

    async def forget() -> float:
        forgotten = await ledger.forget(timedelta(days=settings.sender_keep_days), FORGET_ROWS_MAX)
        return 0 if forgotten == FORGET_ROWS_MAX else FORGET_EVERY_SECONDS

    return [
        Postgres(engine, SERVICE, f"postgres of the {lane} lane"),
        positions,
        Kafka(producing, settings, name=f"producer of the {lane} lane"),
        driver,
        outbox,
        results,
        work,
        Loop(f"forget old deliveries of the {lane} lane", forget),
        Kafka(consuming, settings, boundaries, f"consumer of the {lane} lane"),
    ]
