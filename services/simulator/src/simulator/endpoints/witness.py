"""Witness endpoints: what the gateway has seen: the ledger, and how many sends it had at a time."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from simulator.flights import Flights
from simulator.ledger import Ledger


def witness_routes(ledger: Ledger, flights: Flights) -> APIRouter:
    routes = APIRouter(tags=["witness"])

    @routes.get("/ledger", response_class=StreamingResponse)
    async def read(after: Annotated[int, Query(ge=0, description="Skips so many lines.")] = 0) -> StreamingResponse:
        return StreamingResponse(ledger.stream(after), media_type="application/x-ndjson")

    @routes.get("/concurrency")
    async def concurrency() -> dict[str, Any]:
        return {"now": flights.now(), "most": flights.most()}

    @routes.delete("/concurrency")
    async def reset() -> dict[str, Any]:
        flights.reset()
        return {"now": flights.now(), "most": flights.most()}

    return routes
