"""Switchboard: the faults that are in force in this process, and the sends that they hold up."""

import asyncio
import contextlib

from simulator.core.faults import Armed, Fault, Plan, Target, strike
from simulator.metrics import FAULT_HITS

FAULTS_MAX = 200


class Full(Exception):
    """There are as many faults as the switchboard takes."""


class Switchboard:
    def __init__(self) -> None:
        self._faults: tuple[Armed, ...] = ()
        self._removed: dict[str, asyncio.Event] = {}

    def add(self, fault: Fault) -> Armed:
        if len(self._faults) >= FAULTS_MAX:
            raise Full(f"there are {FAULTS_MAX} faults already, which is the most; DELETE /faults clears them")
        armed = Armed(fault)
        self._faults = (*self._faults, armed)
        self._removed[fault.fault_id] = asyncio.Event()
        return armed

    def all(self) -> tuple[Armed, ...]:
        return self._faults

    def remove(self, *fault_ids: str) -> int:
        """Answers how many there were. Sends that they hold up go on at once."""
        known = [self._removed.pop(fault_id) for fault_id in fault_ids if fault_id in self._removed]
        for event in known:
            event.set()
        self._faults = tuple(armed for armed in self._faults if armed.fault.fault_id in self._removed)
        return len(known)

    def plan(self, target: Target) -> Plan:
        self._faults, plan = strike(self._faults, target)
        for kind in plan.hits:
            FAULT_HITS.labels(kind).inc()
        return plan

    async def hold(self, fault_id: str, seconds: float) -> None:
        """Wait for so many real seconds, or until the fault is removed."""
        removed = self._removed.get(fault_id)
        if removed is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await removed.wait()
