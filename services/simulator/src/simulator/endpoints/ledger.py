"""Ledger endpoints: a tester reads the send ledger and the number of concurrent sends."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from simulator.send_ledger import SendLedger
from simulator.sends_in_flight import SendsInFlight


def ledger_routes(ledger: SendLedger, sends_in_flight: SendsInFlight) -> APIRouter:
    routes = APIRouter(tags=["witness"])

    @routes.get("/ledger", response_class=StreamingResponse)
    async def read(after: Annotated[int, Query(ge=0, description="Skips this many lines.")] = 0) -> StreamingResponse:
        return StreamingResponse(ledger.stream(after), media_type="application/x-ndjson")

    @routes.get("/concurrency")
    async def concurrency() -> dict[str, Any]:
        return {"now": sends_in_flight.now(), "most": sends_in_flight.highest()}

    @routes.delete("/concurrency")
    async def reset() -> dict[str, Any]:
        sends_in_flight.reset()
        return {"now": sends_in_flight.now(), "most": sends_in_flight.highest()}

    return routes
