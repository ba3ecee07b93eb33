"""Webhooks: where gateways report. A call that is not believed changes nothing; what is taken is in Kafka first."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import ValidationError

from ingress.configuration.config_cache import IngressConfigCache
from ingress.configuration.credentials import Sealing
from ingress.configuration.registry import Registry
from ingress.core.webhook_parsers import Call, Refusal, Wire
from ingress.core.webhook_parsers.cloud_api import CloudApi, verified
from ingress.core.webhook_parsers.evolution import Evolution
from ingress.core.webhook_parsers.simulator import Customer, Receipt, Simulator
from ingress.core.webhook_parsers.waha import Waha
from ingress.http import request_body
from ingress.http.openapi import describe
from ingress.http.pagination import PathId
from ingress.http.problems import SIGNATURE, VERIFY_TOKEN
from ingress.http.responses import Answer
from ingress.http.urls import API
from ingress.metrics import WEBHOOK_REFUSALS
from ingress.webhooks import examples as webhook_examples
from ingress.webhooks.account_index import Placed
from ingress.webhooks.dispatcher import Reporting
from spreader.clock import Now
from spreader.contract.configuration import Driver
from spreader.http.problems import Problem, not_found, unavailable

BODY_BYTES_MAX = 4 * 1024 * 1024  # Meta's webhooks are up to 3 MB
CHALLENGE_CHARACTERS_MAX = 1_024

WIRES: Mapping[Driver, Wire] = {
    "simulator": Simulator(), "cloud_api": CloudApi(), "waha": Waha(), "evolution": Evolution(),
}  # fmt: skip
_REFUSED: Mapping[Refusal, str] = {
    "no_signature": "It carries none. Set the profile's secret at the gateway as well: docs/webhooks.md says where.",
    "wrong_signature": "It was made with another secret than the profile's. Set the same one on both sides.",
    "too_old": "Its time stamp is more than 5 minutes from ours. Compare the clocks of the two machines.",
}
_TITLES: Mapping[Driver, str] = {
    "simulator": "the simulator", "cloud_api": "Meta (Cloud API)", "waha": "WAHA", "evolution": "Evolution API",
}  # fmt: skip
_NAMES: Mapping[Driver, str] = {
    "simulator": "reportFromSimulator", "cloud_api": "reportFromCloudApi", "waha": "reportFromWaha",
    "evolution": "reportFromEvolution",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Webhooks:
    configured: IngressConfigCache
    registry: Registry
    sealing: Sealing
    reporting: Reporting
    now: Now
    wall: Now
    """The machine's time: gateways stamp their calls with theirs, at any speed of the system's."""

    async def challenge(self, package_id: PathId, profile_id: PathId, request: Request) -> Response:
        """Meta asks once, when the address is set in its dashboard."""
        placed = await self._placed("cloud_api", package_id, profile_id)
        query = request.query_params
        if not verified(query, self.sealing.read(profile_id, placed.gateway.sealed)):
            WEBHOOK_REFUSALS.labels("cloud_api", "verify_token").inc()
            raise Problem(VERIFY_TOKEN, "`hub.verify_token` is not the profile's `verify_token`.")
        return PlainTextResponse(query.get("hub.challenge", "")[:CHALLENGE_CHARACTERS_MAX])

    def taking(self, driver: Driver) -> Callable[..., Awaitable[Response]]:
        """The endpoint of one driver."""
        wire = WIRES[driver]

        async def take(package_id: PathId, profile_id: PathId, request: Request) -> Response:
            placed = await self._placed(driver, package_id, profile_id)
            body = await request_body.read(request, BODY_BYTES_MAX)
            self._believe(placed, wire, request, body)
            try:
                reports = wire.reports(body, self.now())
            except ValidationError as error:
                raise request_body.refused(error, tagged=True) from None
            except ValueError as error:
                raise request_body.malformed(str(error)) from None
            await self.reporting.take(placed, wire, reports)
            return Answer(200, {"status": "taken"}).response()

        return take

    def _believe(self, placed: Placed, wire: Wire, request: Request, body: bytes) -> None:
        """Raises the problem where the call does not prove that it is the gateway."""
        if wire.secret is None:
            return
        secrets = self.sealing.read(placed.profile.profile_id, placed.gateway.sealed)
        refusal = wire.refusal(Call(request.headers, body, self.wall()), secrets)
        if refusal is not None:
            WEBHOOK_REFUSALS.labels(placed.gateway.driver, refusal).inc()
            raise Problem(SIGNATURE, _REFUSED[refusal])

    async def _placed(self, driver: Driver, package_id: str, profile_id: str) -> Placed:
        """The profile. One that this process has not read yet is not missing: a 4xx would lose its reports for ever."""
        package = self.configured.package(package_id)
        profile = None if package is None else package.profile(profile_id)
        if package is None or profile is None:
            await self.registry.profile(package_id, profile_id)
            raise unavailable("The profile is not known everywhere yet. Report it again.")
        if profile.gateway.driver != driver:
            raise not_found(f"profile at {_TITLES[driver]}", profile_id)
        return Placed(package, profile)

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=f"{API}/webhooks", tags=["webhooks"])
        place = "/{package_id}/{profile_id}"
        for driver in WIRES:
            refused = () if WIRES[driver].secret is None else (401,)
            body: Any = Receipt | Customer if driver == "simulator" else dict[str, Any]
            describe(router, "POST", f"/{driver}{place}", self.taking(driver), _NAMES[driver],
                     f"Where {_TITLES[driver]} reports", body=body, examples=webhook_examples.EXAMPLES[driver],
                     secured=False, problems=(400, *refused, 404, 413, 422, 503))  # fmt: skip
        describe(router, "GET", f"/cloud_api{place}", self.challenge, "verifyCloudApiWebhook",
                 "Meta's question at the set-up of a webhook", secured=False, problems=(403, 404, 503))  # fmt: skip
        return router
