"""Alert endpoints: list alerts, and acknowledge one."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.clock import Now
from spreader.contract.ids import Id
from spreader.http.openapi import PageBody
from spreader.http.problems import not_found
from spreader.runtime.postgres import autocommit
from stats.api.openapi import ALERT_EXAMPLE, NOT_FOUND, OF_A_BODY, documented, page_example
from stats.api.pagination import Page, page_body
from stats.api.parameters import OfPackage, OfProfile
from stats.api.representations import AlertBody, alert_json
from stats.health.sql_alerts import AlertFilter, acknowledge, list_alerts

ACKNOWLEDGED_EXAMPLE = {
    **ALERT_EXAMPLE,
    "acknowledged_at": "2024-02-08T18:50:00Z",
    "acknowledged_by": "Mona",
    "state": "acknowledged",
}


class Acknowledgement(BaseModel):
    by: str = Field(min_length=1, max_length=200, examples=["Mona"])


class AlertEndpoints:
    def __init__(self, engine: AsyncEngine, clock: Now) -> None:
        self._engine = engine
        self._clock = clock

    def router(self) -> APIRouter:
        router = APIRouter(tags=["alerts"])
        router.add_api_route(
            "/alerts",
            self.list_alerts,
            summary="List alerts",
            responses=documented(PageBody[AlertBody], page_example(ALERT_EXAMPLE)),
        )
        router.add_api_route(
            "/alerts/{alert_id}/acknowledge",
            self.acknowledge,
            methods=["POST"],
            summary="Acknowledge an alert",
            responses=documented(AlertBody, ACKNOWLEDGED_EXAMPLE, NOT_FOUND, OF_A_BODY),
        )
        return router

    async def list_alerts(
        self, page: Page, package_id: OfPackage = None, profile_id: OfProfile = None, state: AlertFilter = "open"
    ) -> dict[str, Any]:
        """The alerts in this state, the newest first."""
        async with autocommit(self._engine) as connection:
            alerts = await list_alerts(connection, page.read_limit, package_id, profile_id, state, before=page.after)
        return page_body(page, [alert.alert_id for alert in alerts], [alert_json(alert) for alert in alerts])

    async def acknowledge(self, alert_id: Annotated[Id, Path()], body: Acknowledgement) -> dict[str, Any]:
        """Record who looks after an alert.

        The name that was recorded first stays, and a cleared alert does not change.
        """
        alert = await acknowledge(self._engine, alert_id, body.by, self._clock())
        if alert is None:
            raise not_found("alert", alert_id)
        return alert_json(alert)
