"""Fault endpoints: the switches that make the gateway misbehave."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Body

from simulator.core.faults import Armed
from simulator.endpoints.problems import Problem
from simulator.switchboard import Full, Switchboard
from simulator.wire import FaultRequest
from spreader.clock import Clock
from spreader.contract.ids import Id, new_id


def fault_routes(switchboard: Switchboard, clock: Clock) -> APIRouter:
    routes = APIRouter(prefix="/faults", tags=["faults"])

    @routes.post("", status_code=201)
    async def add(request: Annotated[FaultRequest, Body()]) -> dict[str, Any]:
        try:
            return _shown(switchboard.add(request.fault(new_id("flt", clock()))))
        except Full as full:
            raise Problem(409, "too_many_faults", str(full)) from None

    @routes.get("")
    async def list_all() -> dict[str, Any]:
        return {"data": [_shown(armed) for armed in switchboard.all()]}

    @routes.delete("")
    async def clear() -> dict[str, int]:
        return {"removed": switchboard.remove(*(armed.fault.fault_id for armed in switchboard.all()))}

    @routes.delete("/{fault_id}")
    async def remove(fault_id: Id) -> dict[str, int]:
        removed = switchboard.remove(fault_id)
        if not removed:
            raise Problem(404, "not_found", f"There is no fault {fault_id}.")
        return {"removed": removed}

    return routes


def _shown(armed: Armed) -> dict[str, Any]:
    fault = asdict(armed.fault)
    return {"id": fault.pop("fault_id"), "as": fault.pop("told"), **fault, "seen": armed.seen, "hits": armed.hits}
