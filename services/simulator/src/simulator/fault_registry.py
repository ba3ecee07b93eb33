"""Fault registry: the faults that testers have injected, and the sends that wait because of such a fault."""

import asyncio
import contextlib

from simulator.core.faults import ActiveFault, Fault, FaultTarget, SendPlan, apply_faults
from simulator.metrics import FAULT_HITS

FAULTS_MAX = 200


class TooManyFaults(Exception):
    """The registry has `FAULTS_MAX` faults already."""


class FaultRegistry:
    def __init__(self) -> None:
        self._faults: tuple[ActiveFault, ...] = ()
        self._removed: dict[str, asyncio.Event] = {}

    def add(self, fault: Fault) -> ActiveFault:
        if len(self._faults) >= FAULTS_MAX:
            raise TooManyFaults(
                f"there are {FAULTS_MAX} faults already, which is the maximum; DELETE /faults removes them"
            )
        active = ActiveFault(fault)
        self._faults = (*self._faults, active)
        self._removed[fault.fault_id] = asyncio.Event()
        return active

    def all(self) -> tuple[ActiveFault, ...]:
        return self._faults

    def remove(self, *fault_ids: str) -> int:
        """Remove the faults, and continue the sends that they delay. Returns how many of the faults existed."""
        events = [self._removed.pop(fault_id) for fault_id in fault_ids if fault_id in self._removed]
        for event in events:
            event.set()
        self._faults = tuple(active for active in self._faults if active.fault.fault_id in self._removed)
        return len(events)

    def plan(self, target: FaultTarget) -> SendPlan:
        """The plan of a send, made from the faults that hit it. The hits are counted."""
        self._faults, plan = apply_faults(self._faults, target)
        for kind in plan.hits:
            FAULT_HITS.labels(kind).inc()
        return plan

    async def wait(self, fault_id: str, seconds: float) -> None:
        """Wait for `seconds` of wall time, or until the fault is removed."""
        removed = self._removed.get(fault_id)
        if removed is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await removed.wait()
