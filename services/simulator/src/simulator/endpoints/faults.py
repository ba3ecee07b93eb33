"""Fault endpoints: inject, list and remove faults."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Body

from simulator.core.faults import ActiveFault
from simulator.endpoints.problems import RequestProblem
from simulator.fault_registry import FaultRegistry, TooManyFaults
from simulator.schemas import FaultRequest
from spreader.clock import Clock
from spreader.contract.ids import Id, new_id


def fault_routes(fault_registry: FaultRegistry, clock: Clock) -> APIRouter:
    routes = APIRouter(prefix="/faults", tags=["faults"])

    @routes.post("", status_code=201)
    async def add(request: Annotated[FaultRequest, Body()]) -> dict[str, Any]:
        try:
            return _shown(fault_registry.add(request.fault(new_id("flt", clock()))))
        except TooManyFaults as error:
            raise RequestProblem(409, "too_many_faults", str(error)) from None

    @routes.get("")
    async def list_all() -> dict[str, Any]:
        return {"data": [_shown(active) for active in fault_registry.all()]}

    @routes.delete("")
    async def clear() -> dict[str, int]:
        return {"removed": fault_registry.remove(*(active.fault.fault_id for active in fault_registry.all()))}

    @routes.delete("/{fault_id}")
    async def remove(fault_id: Id) -> dict[str, int]:
        removed = fault_registry.remove(fault_id)
        if not removed:
            raise RequestProblem(404, "not_found", f"There is no fault {fault_id}.")
        return {"removed": removed}

    return routes


def _shown(active: ActiveFault) -> dict[str, Any]:
    fault = asdict(active.fault)
    return {"id": fault.pop("fault_id"), "as": fault.pop("channel"), **fault, "seen": active.seen, "hits": active.hits}
