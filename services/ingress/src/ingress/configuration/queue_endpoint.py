"""Queue endpoint: shows the queue of a package and why its deliveries wait. The endpoint can also forecast the queue
under other settings, and ask the sender for missing outcomes."""

from dataclasses import dataclass, replace
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

from ingress.configuration.bodies import package_warnings
from ingress.configuration.config_cache import IngressConfigCache
from ingress.configuration.packages_endpoint import BODY_BYTES_MAX, PACKAGE_FORM
from ingress.configuration.registry import Registry
from ingress.configuration.schemas import PackageForm
from ingress.core.limits import SettingWarning
from ingress.core.snapshot import merge_settings, snapshot
from ingress.http import request_body
from ingress.http.openapi import add_route
from ingress.http.pagination import PathId
from ingress.http.responses import JSON, ApiResponse
from ingress.http.urls import API
from spreader.contract.answers import PackageQueue, RequestSummary, WhatIfForecast
from spreader.http.service_client import ReadingServiceClient, require_body

UNKNOWN_PACKAGE = "The pacer does not know the package yet."
FORECAST_SECONDS = 20.0


class WhatIfBody(WhatIfForecast):
    warnings: list[SettingWarning]


@dataclass(frozen=True, slots=True)
class QueueEndpoint:
    registry: Registry
    config_cache: IngressConfigCache
    pacer: ReadingServiceClient

    async def get(self, package_id: PathId) -> Response:
        self.config_cache.require_package(package_id)
        body = require_body(await self.pacer.read(f"/packages/{package_id}/queue"), UNKNOWN_PACKAGE)
        return Response(body, media_type=JSON)

    async def what_if(self, package_id: PathId, request: Request) -> Response:
        """The pacer forecasts the present queue twice: under the present settings, and under the proposed ones. The
        request changes nothing.

        Each forecast simulates at most 8,000 releases. If the queue is longer, the releases after the time
        `counted_until` are estimated from the simulated ones.
        """
        patch = request_body.parse_object(await request_body.read(request, BODY_BYTES_MAX))
        row, profiles = await self.registry.package_with_profiles(package_id)
        settings = request_body.parse(PACKAGE_FORM, to_json(merge_settings(row.settings, patch))).settings()
        proposed = replace(row, settings=settings)
        package = snapshot(proposed, profiles).model_dump(mode="json")
        forecast = require_body(
            await self.pacer.query("/what-if", {"package": package}, FORECAST_SECONDS), UNKNOWN_PACKAGE
        )
        return ApiResponse(200, {**forecast, "warnings": package_warnings(proposed)}).render()

    async def ask_for_outcomes(self, package_id: PathId) -> Response:
        """Asks the sender to report again what became of releases that have had no outcome for five minutes."""
        self.config_cache.require_package(package_id)
        path = f"/packages/{package_id}/outcomes"
        return ApiResponse(
            200, require_body(await self.pacer.query(path, {}, FORECAST_SECONDS), UNKNOWN_PACKAGE)
        ).render()

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=f"{API}/packages/{{package_id}}", tags=["packages"])
        add_route(
            router,
            "GET",
            "/queue",
            self.get,
            "getQueue",
            "A package's queue, and what each profile waits for",
            shape=PackageQueue,
            response=QUEUE_EXAMPLE,
            problems=(404, 503),
        )
        add_route(
            router,
            "POST",
            "/what-if",
            self.what_if,
            "foreseeSettings",
            "Forecast the present queue under other settings",
            body=PackageForm,
            patch=True,
            example={"profile_limits": {"per_hour": 15}},
            shape=WhatIfBody,
            response=WHAT_IF_EXAMPLE,
            problems=(400, 404, 413, 422, 503),
        )
        add_route(
            router,
            "POST",
            "/outcomes",
            self.ask_for_outcomes,
            "askForOutcomes",
            "Ask the sender for outcomes that are missing",
            shape=RequestSummary,
            response=OUTCOMES_EXAMPLE,
            problems=(404, 503),
        )
        return router


QUEUE_EXAMPLE: dict[str, Any] = {
    "package_id": "pkg_orders",
    "at": "2024-02-10T10:00:00Z",
    "held": 120,
    "waiting_for_profile": 0,
    "rush_over": 10,
    "profiles_in_rush": 1,
    "at_gateway": {"now": 1, "max": 10, "without_outcome": 0},
    "package_day": None,
    "profiles": [
        {
            "profile_id": "profile_1",
            "stopped": None,
            "due": 11,
            "due_counted_to": 11,
            "last_release": "2024-02-10T09:52:00Z",
            "next_release": "2024-02-10T10:09:00Z",
            "bound": "gap",
            "bounds": {"gap": "2024-02-10T10:09:00Z"},
            "why": "The gap after the profile's last release is not over.",
            "factors": {
                "base_seconds": 600.0,
                "pressure": 2.0,
                "tempo": 0.8,
                "mean_seconds": 960.0,
                "spread": 0.4,
                "gap_min_seconds": 576.0,
                "gap_max_seconds": 1344.0,
                "slack_seconds": 27.84,
                "position": 0.58,
                "sent_last_2_hours": 10,
                "limit_factor": 1.0,
                "warm_up": 1.0,
            },
            "held": 120,
            "limits": {
                "hour limit": {"used": 6, "limit": 20},
                "quarter-of-day limit": {"used": 6, "limit": 30},
                "day limit": {"used": 40, "limit": 120},
            },
        }
    ],
}
_FORECAST_EXAMPLE: dict[str, Any] = {
    "completion": "2024-02-11T18:00:00Z",
    "binds": "gap",
    "counted_until": None,
    "simulated": 120,
    "profiles": {"profile_1": {"completion": "2024-02-11T18:00:00Z", "deliveries": 120, "binds": "gap"}},
    "curve": [{"begin": "2024-02-10T10:00:00Z", "deliveries": 4, "profiles": {"profile_1": 4}}],
}
OUTCOMES_EXAMPLE: dict[str, Any] = {"overdue": 3, "freed": 1, "reported": 2, "in_progress": 0, "unavailable": None}
WHAT_IF_EXAMPLE: dict[str, Any] = {"now": _FORECAST_EXAMPLE, "then": _FORECAST_EXAMPLE, "warnings": []}
