"""Preview: what would become of a message before it is sent: who sends how much, by when, and what binds."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response

from ingress.configuration.config_cache import IngressConfigCache, active_profiles
from ingress.consent.consent_lists import Consents
from ingress.core.open_messages import without_repeats
from ingress.http import request_body
from ingress.http.openapi import describe
from ingress.http.problems import NO_PROFILE
from ingress.http.responses import Answer
from ingress.http.urls import API
from ingress.infra.service_client import ServiceClient, require
from ingress.messages.forecast import question
from ingress.messages.open_endpoint import EXAMPLES
from ingress.messages.schemas import OPEN, OpenMessage
from spreader.http.problems import Problem


@dataclass(frozen=True, slots=True)
class Previews:
    configured: IngressConfigCache
    consents: Consents
    router: ServiceClient
    pacer: ServiceClient
    body_bytes_max: int

    async def preview(self, package_id: str, request: Request) -> Response:
        form = request_body.parsed(OPEN, await request_body.read(request, self.body_bytes_max), tagged=True)
        package = self.configured.require_package(package_id)
        active_profiles(package, "open")
        everybody = without_repeats(form.recipients)
        suppressed = await self.consents.objections(package, everybody)
        recipients = tuple(each for each in everybody if each not in suppressed)
        shared = require(await self.router.query("/preview", _shares(package_id, form, len(recipients))), UNKNOWN)
        if shared["refused"] is not None:
            raise Problem(NO_PROFILE, shared["refused"])
        asked = question(package_id, shared["distribution"], form.options, recipients)
        foreseen = require(await self.pacer.query("/forecast", asked), UNKNOWN)
        body = {
            "recipients": len(everybody),
            "duplicates_removed": len(form.recipients) - len(everybody),
            "suppressed": len(suppressed),
            "suppressed_for": dict(Counter(suppressed.values())),
            "strategy": shared["strategy"],
            "distribution": shared["distribution"],
            "passed_over": shared["passed_over"],
            "estimated_completion": foreseen["completion"],
            "binds": foreseen["binds"],
            "counted_until": foreseen["counted_until"],
            "profiles": foreseen["profiles"],
            "curve": foreseen["curve"],
        }
        return Answer(200, body).response()

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=f"{API}/packages/{{package_id}}/messages", tags=["messages"])
        describe(
            router, "POST", "/preview", self.preview, "previewOpenMessage", "What would become of an open message",
            body=OpenMessage, examples=EXAMPLES, answer=ANSWER, direct=True, problems=(400, 404, 409, 413, 422, 503),
        )  # fmt: skip
        return router


UNKNOWN = "The package is not known everywhere yet."


def _shares(package_id: str, form: OpenMessage, recipients: int) -> dict[str, Any]:
    return {"package_id": package_id, "recipients": recipients, "distribution": form.distribution}


ANSWER: dict[str, Any] = {
    "recipients": 3,
    "duplicates_removed": 0,
    "suppressed": 0,
    "suppressed_for": {},
    "strategy": "round_robin",
    "distribution": {"profile_1": 2, "profile_2": 1},
    "passed_over": {"profile_3": "paused"},
    "estimated_completion": "2024-02-10T10:15:00Z",
    "binds": "gap",
    "counted_until": None,
    "profiles": {"profile_1": {"completion": "2024-02-10T10:15:00Z", "deliveries": 2, "binds": "gap"}},
    "curve": [{"begin": "2024-02-10T10:00:00Z", "deliveries": 3, "profiles": {"profile_1": 2, "profile_2": 1}}],
}
