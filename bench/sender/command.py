"""Sender bench command: `python -m bench sender` measures one sender process at a simulated Cloud API."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import aiohttp

from bench.child import MeasurementError
from bench.command import run
from bench.figures import Figure, Pair
from bench.messages import CONTENT
from bench.progress import Progress
from bench.sender.bare_calls import BareCalls
from bench.sender.webhooks import Webhooks
from bench.servers import Servers, ServiceProcess, servers
from spreader.clock import wall_now
from spreader.contract.events import DeliveryOutcome, DeliveryReleased
from spreader.contract.ids import new_id
from spreader.kafka.envelope import Envelope, encode

KEY = "bench-key"
PACKAGE = "bench"
PROFILES = 20
ROUNDS = 3
DEFAULT_CONCURRENCY = 256
AT_ZERO = 3_000
LATENCY_SECONDS = 0.2
IN_FLIGHT = 2_000
AT_LATENCY = 8_000
DELAYED = 10_000
DELAYED_SECONDS = 25.0
WEBHOOKS = 3_000
CONNECTIONS = 16
SECONDS_MAX = 120.0
SHARE = 1.25  # slots for each concurrent call, because one gateway's host gets only four fifths of a sender's slots
CREDENTIALS = {"access_token": "EAAG-bench", "app_secret": "bench-secret", "verify_token": "bench"}


@dataclass(slots=True)
class Run:
    servers: Servers
    simulator: ServiceProcess
    ingress: ServiceProcess
    progress: Progress
    http: aiohttp.ClientSession
    _next_number: int = field(default=0, init=False)

    async def set_up(self) -> None:
        await self._ask("POST", f"{self.ingress.address}/api/v1/packages", {"package_id": PACKAGE, "name": "Bench"})
        for number in range(PROFILES):
            account, webhook = self.account(number), self.webhook(number)
            registration = {
                "profile_id": f"p{number}",
                "package_id": PACKAGE,
                "phone": f"1555{number:07}",
                "credentials": CREDENTIALS,
                "webhook_url": f"{self.ingress.address}{webhook}",
            }
            await self._ask("PUT", f"{self.simulator.address}/accounts/cloud_api/{account}", registration)
            gateway = {"driver": "cloud_api", "base_url": f"{self.simulator.address}/cloud/v23.0", "account": account}
            profile = {
                "profile_id": f"p{number}",
                "name": "Bench",
                "phone": f"1555{number:07}",
                "gateway": {**gateway, "credentials": CREDENTIALS},
            }
            await self._ask("POST", f"{self.ingress.address}/api/v1/packages/{PACKAGE}/profiles", profile)
        await self.fault(kind="no_receipts")

    async def fault(self, **fields: Any) -> None:
        await self._ask("POST", f"{self.simulator.address}/faults", fields)

    async def clear(self) -> None:
        await self._ask("DELETE", f"{self.simulator.address}/faults")
        await self.fault(kind="no_receipts")

    async def speed(self, what: str, count: int, at_once: int) -> Figure:
        rounds = list[Pair]()
        async with self._sender(at_once):
            await self._send(count // 10)
            for number in range(ROUNDS):
                ours = count / (await self._send(count))[1]
                url = f"{self.simulator.address}/cloud/v23.0/{self.account(0)}/messages"
                bare = await BareCalls(url, CREDENTIALS["access_token"], count, at_once, SECONDS_MAX).run()
                rounds.append(Pair(ours, bare))
                self.progress.say(f"{what}, round {number + 1} of {ROUNDS}: {ours:,.0f} a second, bare {bare:,.0f}")
        return Figure(what, "aiohttp alone, the same requests", "deliveries/s", "more", tuple(rounds))

    async def memory(self) -> Figure:
        """The peak memory of the process while all deliveries are at the gateway, compared with its idle memory."""
        async with self._sender(DELAYED) as sender:
            await self._send(500)
            before = most = sender.mebibytes()
            await self.fault(kind="delay", seconds=DELAYED_SECONDS)
            sending = asyncio.create_task(self._send(DELAYED))
            under_way = 0
            while not sending.done():
                most = max(most, sender.mebibytes())
                now = await self._ask("GET", f"{self.simulator.address}/concurrency")
                under_way = max(under_way, now["now"])
                await asyncio.wait([sending], timeout=0.5)
            await sending
            await self.clear()
        what = f"memory with {under_way:,} deliveries in flight"
        self.progress.say(f"{what}: {most:,.0f} MiB, without any {before:,.0f} MiB")
        return Figure(what, "itself without any", "MiB", "less", (Pair(most, before),))

    async def webhooks(self) -> Figure:
        rounds = list[Pair]()
        async with self._sender(DEFAULT_CONCURRENCY):
            for number in range(ROUNDS):
                delivery_ids, seconds = await self._send(WEBHOOKS)
                secret, account = CREDENTIALS["app_secret"], self.account(0)
                webhooks = Webhooks(
                    self.ingress.port, self.webhook(0), secret, account, tuple(delivery_ids), CONNECTIONS, SECONDS_MAX
                )
                rounds.append(Pair(await webhooks.run(), WEBHOOKS / seconds))
                self.progress.say(f"webhooks, round {number + 1} of {ROUNDS}: {rounds[-1].ours:,.0f} a second")
        beside = "deliveries a second through the sender"
        return Figure("webhooks taken, one process", beside, "webhooks/s", "more", tuple(rounds))

    def account(self, number: int) -> str:
        return f"10550000{number:04}"

    def webhook(self, number: int) -> str:
        return f"/api/v1/webhooks/cloud_api/{PACKAGE}/p{number}"

    @asynccontextmanager
    async def _sender(self, at_once: int) -> AsyncGenerator[ServiceProcess]:
        slots = str(int(at_once * SHARE) + 1)
        async with self.servers.run_service(
            "sender",
            SPREADER_SENDER_OPEN_CONCURRENCY=slots,
            SPREADER_SENDER_CALL_SECONDS="40",
            SPREADER_SENDER_LEASE_SECONDS="60",
            SPREADER_INGRESS_URL=self.ingress.address,
        ) as sender:
            yield sender

    async def _send(self, count: int) -> tuple[list[str], float]:
        """Publish new deliveries. Returns their ids, and the seconds until the outcomes of all are in Kafka."""
        released = self._released(count)
        before = await self.servers.topics.record_count(DeliveryOutcome.topic)
        began = time.monotonic()
        await self.servers.publish([envelope for _, envelope in released])
        ended = await self.servers.topics.wait_for(DeliveryOutcome.topic, before + count, SECONDS_MAX)
        if ended is None:
            raise MeasurementError(f"some of {count} deliveries had no outcome after {SECONDS_MAX:g} s")
        return [delivery_id for delivery_id, _ in released], ended - began

    def _released(self, count: int) -> list[tuple[str, Envelope]]:
        now = wall_now()
        first, self._next_number = self._next_number, self._next_number + count
        events = [
            DeliveryReleased(
                package_id=PACKAGE,
                message_id="msg_bench",
                delivery_id=new_id("dlv", now),
                recipient=f"2015{number:08}",
                profile_id=f"p{number % PROFILES}",
                content=CONTENT,
                requested_at=now,
                attempt=1,
                release=number + 1,
                released_at=now,
                send_by=now + timedelta(hours=1),
            )
            for number in range(first, first + count)
        ]
        return [(event.delivery_id, encode(event, "pacer", now)) for event in events]

    async def _ask(self, method: str, url: str, body: Any = None) -> Any:
        async with self.http.request(method, url, json=body) as response:
            if response.status >= 300:
                raise MeasurementError(f"{method} {url} returned {response.status}: {(await response.text())[:500]}")
            return await response.json(content_type=None)


async def _measure(progress: Progress) -> list[Figure]:
    progress.say("starting a Kafka, a Postgres, a simulator and an ingress ...")
    headers = {"Authorization": f"Bearer {KEY}"}
    async with (
        servers() as own,
        own.run_service("simulator") as simulator,
        own.run_service("ingress", SPREADER_API_KEY=KEY) as ingress,
        aiohttp.ClientSession(headers=headers) as http,
    ):
        run = Run(own, simulator, ingress, progress, http)
        await run.set_up()
        figures = [await run.speed("deliveries, gateway at zero latency", AT_ZERO, DEFAULT_CONCURRENCY)]
        await run.fault(kind="delay", seconds=LATENCY_SECONDS)
        figures.append(await run.speed("deliveries, 200 ms latency, 2,000 in flight", AT_LATENCY, IN_FLIGHT))
        await run.clear()
        figures.append(await run.webhooks())
        figures.append(await run.memory())
        progress.say("stopping ...")
    return figures


def main(arguments: Sequence[str]) -> int:
    return run("sender", _measure, arguments)
