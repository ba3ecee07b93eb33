"""Chaos: several instances of every service, and random faults on all of them."""

import asyncio
import contextlib
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from aiohttp import ClientError
from e2e.system import ExtraProcess, RunningSystem, eventually

INSTANCES = 3
REPLICATED = ("ingress", "router", "pacer", "sender", "stats")
SINGLE = ("simulator", "console")
FREEZE_SECONDS = (1.0, 12.0)
BETWEEN_FAULTS_SECONDS = (1.0, 6.0)
READY_SECONDS = 90.0

ODD_ANSWERS: Mapping[str, Mapping[str, Any]] = {
    "late": {"kind": "delay"},
    "sent, then late": {"kind": "delay", "at": "after"},
    "none": {"kind": "hang"},
    "sent, then none": {"kind": "hang", "at": "after"},
    "dies": {"kind": "die"},
    "sent, then dies": {"kind": "die", "at": "after"},
    "an error": {"kind": "fail"},
    "sent, then an error": {"kind": "fail_after_sending"},
    "too fast": {"kind": "fail", "code": "throttled", "seconds": 2},
    "no such recipient": {"kind": "fail", "code": "recipient_invalid"},
    "content refused": {"kind": "fail", "code": "content_refused"},
    "no such recipient, in a receipt": {"kind": "fail", "code": "recipient_invalid", "as": "receipt"},
    "no receipts": {"kind": "no_receipts"},
    "double receipts": {"kind": "double_receipts"},
    "late receipts": {"kind": "late_receipts", "seconds": 2_000},
    "receipts in disorder": {"kind": "disordered_receipts"},
}
"""Faults of the simulated gateway: answers that are late, never come, refuse, or say less than what happened."""


@dataclass
class Fleet:
    """`make up` with further instances of each service beside it."""

    system: RunningSystem
    others: list[ExtraProcess] = field(default_factory=list[ExtraProcess])

    @classmethod
    @contextlib.asynccontextmanager
    async def started(cls, system: RunningSystem, instances: int = INSTANCES) -> AsyncGenerator["Fleet"]:
        fleet = cls(system)
        try:
            names = [name for name in REPLICATED for _ in range(instances - 1)]
            fleet.others += await asyncio.gather(*map(system.start_extra_process, names))
            yield fleet
        finally:
            for other in fleet.others:
                await other.kill()

    def ingress_ports(self) -> list[int]:
        return [self.system.ports["ingress"], *(other.port for other in self.others if other.name == "ingress")]

    async def all_ready(self) -> bool:
        ports = [self.system.ports[name] for name in (*REPLICATED, *SINGLE)] + [other.port for other in self.others]
        try:
            return all([(await self.system.ready(port=port)).status == 200 for port in ports])
        except (OSError, ClientError, TimeoutError):
            return False


@dataclass
class Faults:
    """Random faults, one at a time or overlapping. All come from one seed."""

    fleet: Fleet
    chance: Random
    log: Callable[[str], None]
    counts: Counter[str] = field(default_factory=Counter[str])

    async def run(self, seconds: float) -> None:
        """Cause faults for `seconds`, then wait until the last ones are over."""
        until = time.monotonic() + seconds
        kinds: Sequence[Callable[[], Awaitable[None]]] = (
            self._kill_other, self._kill_other, self._kill_owned, self._freeze_other, self._freeze_owned,
            self._kill_kafka, self._stop_postgres, self._answer_oddly, self._answer_oddly,
        )  # fmt: skip
        async with asyncio.TaskGroup() as faults:
            while time.monotonic() < until:
                faults.create_task(self._tried(self.chance.choice(kinds)))
                await asyncio.sleep(self.chance.uniform(*BETWEEN_FAULTS_SECONDS))
        await self._clear_gateway()

    async def _tried(self, fault: Callable[[], Awaitable[None]]) -> None:
        with contextlib.suppress(OSError, ClientError, AssertionError, TimeoutError, KeyError):
            await fault()  # the victim may be down already: the next fault comes soon

    def _note(self, kind: str, victim: str) -> None:
        self.counts[f"{kind} {victim}"] += 1
        self.log(f"{kind} {victim}")

    async def _kill_other(self) -> None:
        victim = self.chance.choice(self.fleet.others)
        self._note("kill", victim.name)
        await victim.kill()
        await victim.restart()

    async def _kill_owned(self) -> None:
        name = self.chance.choice((*REPLICATED, *SINGLE))
        self.fleet.system.kill(name)
        self._note("kill", name)

    async def _freeze_other(self) -> None:
        victim = self.chance.choice(self.fleet.others)
        await self._freeze(victim.name, victim.pid)

    async def _freeze_owned(self) -> None:
        name = self.chance.choice((*REPLICATED, *SINGLE))
        await self._freeze(name, self.fleet.system.pid(name))

    async def _freeze(self, name: str, pid: int | None) -> None:
        assert pid is not None, f"{name} does not run"
        os.kill(pid, signal.SIGSTOP)
        try:
            self._note("freeze", name)
            await asyncio.sleep(self.chance.uniform(*FREEZE_SECONDS))
        finally:
            os.kill(pid, signal.SIGCONT)

    async def _kill_kafka(self) -> None:
        self.fleet.system.kill("kafka")
        self._note("kill", "kafka")

    async def _stop_postgres(self) -> None:
        pid = self.fleet.system.pid("postgres")
        assert pid is not None, "postgres does not run"
        os.kill(pid, signal.SIGQUIT)
        self._note("stop at once", "postgres")

    async def _answer_oddly(self) -> None:
        name = self.chance.choice(tuple(ODD_ANSWERS))
        fault = {"count": 1 if "dies" in name else self.chance.randint(1, 5), **ODD_ANSWERS[name]}
        if fault["kind"] in ("delay", "hang"):
            fault["seconds"] = round(self.chance.uniform(0.5, 5), 1)
        answer = await self.fleet.system.ask_simulator("POST", "/faults", fault)
        assert answer.status == 201, answer.body
        self._note("gateway:", name)

    async def _clear_gateway(self) -> None:
        async def cleared() -> bool:
            with contextlib.suppress(OSError, ClientError):
                return (await self.fleet.system.ask_simulator("DELETE", "/faults")).status == 200
            return False

        await eventually(cleared, READY_SECONDS)
