"""Endpoints: the router's own small HTTP API: how would it share a message, and how did it?"""

import random

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, PositiveInt

from router.core.routing import preview
from router.directory import Directory
from router.postgres import Store
from spreader.configuration import Distribution
from spreader.ids import Id


class Ask(BaseModel):
    """A message that is not sent yet."""

    package_id: Id
    recipients: PositiveInt
    distribution: Distribution | None = None


class Shares(BaseModel):
    strategy: Distribution
    distribution: dict[str, int]
    passed_over: dict[str, str]
    refused: str | None


class Choice(BaseModel):
    """How the record was routed that a delivery came in."""

    strategy: Distribution
    profile_id: str | None
    shared_with: dict[str, int]
    passed_over: dict[str, str]
    refused: str | None


def add_endpoints(app: FastAPI, store: Store, directory: Directory) -> None:
    @app.post("/preview")
    async def shares(ask: Ask) -> Shares:
        package = await directory.package(ask.package_id, None)
        if package is None:
            raise HTTPException(404, f"the router has no package {ask.package_id}")
        async with store.begin() as connection:
            cursor = await store.cursor(connection, ask.package_id)
        routing = preview(package, directory.states, ask.recipients, ask.distribution, cursor, random.Random())
        return Shares(
            strategy=routing.strategy,
            distribution=routing.distribution,
            passed_over=dict(routing.passed_over),
            refused=routing.refused,
        )

    @app.get("/messages/{message_id}/routing")
    async def routing(message_id: str, index: int) -> Choice:
        async with store.begin() as connection:
            found = await store.routing_of(connection, message_id, index)
        if found is None:
            raise HTTPException(404, f"the router has no decision on delivery {index} of {message_id}")
        place = index - found.first_index
        return Choice(
            strategy=found.strategy,
            profile_id=found.profiles[place] if place < len(found.profiles) else None,
            shared_with=found.distribution,
            passed_over=dict(found.passed_over),
            refused=found.refused,
        )
