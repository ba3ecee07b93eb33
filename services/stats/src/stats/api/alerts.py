"""Alerting: what needs a person, over HTTP: the list of alerts, and that somebody looks after one."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.clock import Now
from spreader.contract.ids import Id
from spreader.http.problems import not_found
from stats.api.pagination import Page, page_body
from stats.api.reports import OfPackage, OfProfile
from stats.core.alerts import StoredAlert
from stats.health.sql_alerts import STATES, acknowledge, list_alerts

Wanted = Literal["open", "raised", "acknowledged", "cleared", "all"]
WANTED: Mapping[Wanted, Sequence[str]] = {
    "open": ("raised", "acknowledged"), "raised": ("raised",), "acknowledged": ("acknowledged",),
    "cleared": ("cleared",), "all": STATES,
}  # fmt: skip


class Acknowledgement(BaseModel):
    by: str = Field(min_length=1, max_length=200, examples=["Mona"])


class AlertEndpoints:
    def __init__(self, engine: AsyncEngine, clock: Now) -> None:
        self._engine = engine
        self._clock = clock

    def router(self) -> APIRouter:
        router = APIRouter(tags=["alerts"])
        router.add_api_route("/alerts", self.list_alerts, summary="What needs a person")
        router.add_api_route(
            "/alerts/{alert_id}/acknowledge", self.acknowledge, methods=["POST"], summary="Somebody looks after it"
        )
        return router

    async def list_alerts(
        self, page: Page, package_id: OfPackage = None, profile_id: OfProfile = None, state: Wanted = "open"
    ) -> dict[str, Any]:
        """The newest first."""
        async with self._engine.connect() as connection:
            found = await list_alerts(
                connection, page.read_limit, package_id, profile_id, WANTED[state], before=page.after
            )
        return page_body(page, [each.alert_id for each in found], [shown(each) for each in found])

    async def acknowledge(self, alert_id: Annotated[Id, Path()], said: Acknowledgement) -> dict[str, Any]:
        """The alert; who was first stays named. One that is cleared stays as it is."""
        kept = await acknowledge(self._engine, alert_id, said.by, self._clock())
        if kept is None:
            raise not_found("alert", alert_id)
        return shown(kept)


def shown(alert: StoredAlert) -> dict[str, Any]:
    return {**asdict(alert), "state": alert.state}
