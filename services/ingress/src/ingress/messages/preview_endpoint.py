"""Preview endpoint: the distribution, forecast and suppressions of an open message that is not sent."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, NotRequired

from fastapi import APIRouter, Request, Response
from typing_extensions import TypedDict

from ingress.configuration.config_cache import IngressConfigCache, require_profiles
from ingress.consent.consent_lists import ConsentLists
from ingress.core.number_warnings import NumberWarning, implausible, other_spellings
from ingress.core.recipient_parts import SAMPLE_MAX, sample_step
from ingress.http.large_bodies import LargeBodies
from ingress.http.openapi import add_route
from ingress.http.problems import NO_PROFILE
from ingress.http.responses import ApiResponse
from ingress.http.urls import API
from ingress.messages.forecast import FORECAST_SECONDS, extrapolation_note, forecast_query
from ingress.messages.intake import too_large_advice
from ingress.messages.open_endpoint import REQUEST_EXAMPLES
from ingress.messages.received import receive_open
from ingress.messages.schemas import OpenMessage
from spreader.contract.answers import ForecastHour, ProfileForecastView
from spreader.contract.bounds import Bound
from spreader.contract.configuration import Distribution
from spreader.http.problems import Problem
from spreader.http.service_client import ServiceClient, require_body
from spreader.phone.plausible import ImplausibleNumbers

UNKNOWN_PACKAGE = "Not every service knows the package yet."


class PreviewBody(TypedDict):
    """`suppressed_for`: for each reason, how many recipients are suppressed. `passed_over`: for each profile that gets
    no delivery, the reason."""

    recipients: int
    duplicates_removed: int
    suppressed: int
    suppressed_for: dict[str, int]
    warnings: list[NumberWarning]
    strategy: Distribution
    distribution: dict[str, int]
    waiting_for_profile: int
    passed_over: dict[str, str]
    estimated_completion: datetime | None
    estimated_completion_note: NotRequired[str]
    binds: str
    counted_until: datetime | None
    profiles: Mapping[str, ProfileForecastView]
    curve: list[ForecastHour]


@dataclass(frozen=True, slots=True)
class PreviewEndpoint:
    config_cache: IngressConfigCache
    consents: ConsentLists
    router: ServiceClient
    pacer: ServiceClient
    bodies: LargeBodies
    body_bytes_max: int

    async def preview(self, package_id: str, request: Request) -> Response:
        """The router distributes the recipients that are not suppressed. The pacer forecasts these deliveries.

        The pacer simulates at most 8,000 releases. The releases after the time `counted_until` are extrapolated, and
        `estimated_completion_note` says so.
        """
        advice = too_large_advice("open")
        known = self.config_cache.package(package_id)
        receive = partial(receive_open, country=known and known.default_country)
        received = await self.bodies.read(request, self.body_bytes_max, receive, advice)
        if isinstance(received, Problem):
            raise received
        form, recipients = received.form, received.recipients
        package = self.config_cache.require_package(package_id)
        require_profiles(package, "open")
        suppressed, sample, unlikely = Counter[str](), list[str](), ImplausibleNumbers()
        for parts in recipients.queries():
            objections = await self.consents.objections(package, parts)
            suppressed.update(objections.values())
            for part in parts:
                unlikely.add(part)
                others = [recipient for recipient in part if recipient not in objections]
                sample += others[:: sample_step(recipients.count)]
                await asyncio.sleep(0)  # let replies run
        count = recipients.count - suppressed.total()
        query = {"package_id": package_id, "recipients": count, "distribution": form.distribution}
        routing = require_body(await self.router.query("/preview", query), UNKNOWN_PACKAGE)
        if routing["refused"] is not None:
            raise Problem(NO_PROFILE, routing["refused"])
        waits = routing.get("waiting") is not None  # a router of an older version returns no such field
        query = forecast_query(package, routing["distribution"], form.options, sample[:SAMPLE_MAX], "preview")
        forecast = require_body(await self.pacer.query("/forecast", query, FORECAST_SECONDS), UNKNOWN_PACKAGE)
        note = extrapolation_note(forecast)
        preview = {
            "recipients": recipients.count,
            "duplicates_removed": recipients.repeats,
            "suppressed": suppressed.total(),
            "suppressed_for": dict(suppressed),
            "warnings": [*implausible(unlikely), *other_spellings(recipients.other_spellings)],
            "strategy": routing["strategy"],
            "distribution": routing["distribution"],
            "waiting_for_profile": count if waits else 0,
            "passed_over": routing["passed_over"],
            "estimated_completion": forecast["completion"],
            **({"estimated_completion_note": note} if note else {}),
            "binds": Bound.WAITING_FOR_PROFILE if waits else forecast["binds"],
            "counted_until": forecast["counted_until"],
            "profiles": forecast["profiles"],
            "curve": forecast["curve"],
        }
        return ApiResponse(200, preview).render()

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=f"{API}/packages/{{package_id}}/messages", tags=["messages"])
        add_route(
            router,
            "POST",
            "/preview",
            self.preview,
            "previewOpenMessage",
            "Preview an open message: distribution, forecast, suppressions",
            body=OpenMessage,
            examples=REQUEST_EXAMPLES,
            shape=PreviewBody,
            response=RESPONSE_EXAMPLE,
            direct=True,
            problems=(400, 404, 409, 413, 422, 503),
        )
        return router


RESPONSE_EXAMPLE: dict[str, Any] = {
    "recipients": 3,
    "duplicates_removed": 0,
    "suppressed": 0,
    "suppressed_for": {},
    "warnings": [],
    "strategy": "round_robin",
    "distribution": {"profile_1": 2, "profile_2": 1},
    "waiting_for_profile": 0,
    "passed_over": {"profile_3": "paused"},
    "estimated_completion": "2024-02-10T10:15:00Z",
    "binds": "gap",
    "counted_until": None,
    "profiles": {"profile_1": {"completion": "2024-02-10T10:15:00Z", "deliveries": 2, "binds": "gap"}},
    "curve": [{"begin": "2024-02-10T10:00:00Z", "deliveries": 3, "profiles": {"profile_1": 2, "profile_2": 1}}],
}
