"""Webhooks endpoint: the addresses that gateways call. A call with an invalid signature has no effect."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from typing_extensions import TypedDict

from ingress.configuration.config_cache import IngressConfigCache
from ingress.configuration.credentials import CredentialSealer
from ingress.configuration.registry import Registry
from ingress.core.reports import AccountStatusReport
from ingress.core.webhook_parsers import Refusal, WebhookCall, WebhookParser
from ingress.core.webhook_parsers.cloud_api import is_verify_request
from ingress.core.webhook_parsers.simulator import SimulatorMessage, SimulatorReceipt
from ingress.http.body_turns import SMALL_BYTES, BodyTurns
from ingress.http.large_bodies import LargeBodies
from ingress.http.openapi import add_route
from ingress.http.pagination import PathId
from ingress.http.problems import SIGNATURE, VERIFY_TOKEN
from ingress.http.responses import ApiResponse
from ingress.http.urls import API
from ingress.linking.webhook_arrivals import WebhookArrivals
from ingress.metrics import WEBHOOK_REFUSALS
from ingress.webhooks.account_index import ProfileAccount
from ingress.webhooks.dispatcher import WebhookDispatcher
from ingress.webhooks.driver_parsers import PARSERS, read_reports
from ingress.webhooks.examples import WEBHOOK_EXAMPLES
from spreader.clock import Now
from spreader.contract.configuration import Driver
from spreader.http.openapi import text_answer
from spreader.http.problems import Problem, not_found, unavailable

BODY_BYTES_MAX = 4 * 1024 * 1024  # Meta's webhooks have up to 3 MB
CHALLENGE_CHARACTERS_MAX = 1_024

_REFUSAL_DETAILS: Mapping[Refusal, str] = {
    "no_signature": "The call has no signature. Set the profile's secret at the gateway too: see docs/webhooks.md.",
    "wrong_signature": "The call was not signed with the profile's secret. Set the same secret on both sides.",
    "too_old": "The call's time stamp is more than 5 minutes from our time. Compare the clocks of the two machines.",
}
_GATEWAY_NAMES: Mapping[Driver, str] = {
    "simulator": "the simulator",
    "cloud_api": "Meta (Cloud API)",
    "waha": "WAHA",
    "evolution": "Evolution API",
}
_OPERATION_IDS: Mapping[Driver, str] = {
    "simulator": "reportFromSimulator",
    "cloud_api": "reportFromCloudApi",
    "waha": "reportFromWaha",
    "evolution": "reportFromEvolution",
}


class TakenBody(TypedDict):
    status: Literal["taken"]


@dataclass(frozen=True, slots=True)
class WebhooksEndpoint:
    config_cache: IngressConfigCache
    registry: Registry
    sealer: CredentialSealer
    dispatcher: WebhookDispatcher
    bodies: LargeBodies
    arrivals: WebhookArrivals
    now: Now
    wall_now: Now
    """Wall time. It is needed because gateways put wall time into their time stamps, even if the system's clock runs
    faster."""
    turns: BodyTurns = field(default_factory=BodyTurns)
    """Large bodies of webhook calls wait here for their turn. They take no turns from requests of the API, because
    anybody can send a large body to the address of a webhook."""

    async def challenge(self, package_id: PathId, profile_id: PathId, request: Request) -> Response:
        """Returns the text `hub.challenge` if the call contains the profile's verify token.

        Meta calls this once, when somebody enters the webhook address in Meta's dashboard.
        """
        account = await self._account("cloud_api", package_id, profile_id)
        query = request.query_params
        if not is_verify_request(query, self.sealer.require(profile_id, account.gateway.sealed)):
            WEBHOOK_REFUSALS.labels("cloud_api", "verify_token").inc()
            raise Problem(VERIFY_TOKEN, "`hub.verify_token` is not the profile's `verify_token`.")
        await self.arrivals.note(profile_id, about_account=True)
        return PlainTextResponse(query.get("hub.challenge", "")[:CHALLENGE_CHARACTERS_MAX])

    def report_handler(self, driver: Driver) -> Callable[..., Awaitable[Response]]:
        """The function that handles the calls of one driver's gateways."""
        parser = PARSERS[driver]

        async def handle(package_id: PathId, profile_id: PathId, request: Request) -> Response:
            account = await self._account(driver, package_id, profile_id)
            async with self.turns.body(request, BODY_BYTES_MAX) as body:
                if len(body) > SMALL_BYTES:  # in a thread, because computing the signature takes milliseconds
                    await asyncio.to_thread(self._verify, account, parser, request, bytes(body))
                else:
                    self._verify(account, parser, request, bytes(body))
                reports = await self.bodies.parse(partial(read_reports, driver, self.now()), body)
            if isinstance(reports, Problem):
                raise reports
            await self.dispatcher.dispatch(account, parser, reports)
            await self.arrivals.note(profile_id, any(isinstance(each.report, AccountStatusReport) for each in reports))
            return ApiResponse(200, {"status": "taken"}).render()

        return handle

    def _verify(self, account: ProfileAccount, parser: WebhookParser, request: Request, body: bytes) -> None:
        """Raises the problem `signature` if the call does not prove that it comes from the gateway.

        Calls of the simulator are not verified.
        """
        if parser.secret_name is None:
            return
        secrets = self.sealer.require(account.profile.profile_id, account.gateway.sealed)
        refusal = parser.refusal(WebhookCall(request.headers, body, self.wall_now()), secrets)
        if refusal is not None:
            WEBHOOK_REFUSALS.labels(account.gateway.driver, refusal).inc()
            raise Problem(SIGNATURE, _REFUSAL_DETAILS[refusal])

    async def _account(self, driver: Driver, package_id: str, profile_id: str) -> ProfileAccount:
        """The called profile. It may have moved to another package: its gateway then still calls the former address,
        until somebody sets the new one.

        If the profile exists but this process has not read it yet, the response is a 503. It is not a 404, because
        after a 404 the gateway would not call again, and its reports would be lost.
        """
        package = self.config_cache.package(package_id)
        profile = None if package is None else package.profile(profile_id)
        if package is None or profile is None:
            moved = await self.registry.profile_anywhere(profile_id)  # raises not-found if the profile does not exist
            if not await self.registry.has_had_package(package_id):
                raise not_found("package", package_id)
            package = self.config_cache.package(moved.package_id)
            profile = None if package is None else package.profile(profile_id)
        if package is None or profile is None:
            raise unavailable("This process has not read the profile yet. Call again shortly.")
        if profile.gateway.driver != driver:
            raise not_found(f"profile at {_GATEWAY_NAMES[driver]}", profile_id)
        return ProfileAccount(package, profile)

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=f"{API}/webhooks", tags=["webhooks"])
        path = "/{package_id}/{profile_id}"
        paths: list[tuple[Driver, str, str]] = [(driver, path, _OPERATION_IDS[driver]) for driver in PARSERS]
        paths.append(("evolution", f"{path}/{{event}}", "reportEventFromEvolution"))  # for its setting `byEvents`
        for driver, driver_path, operation_id in paths:
            parser = PARSERS[driver]
            body: Any = SimulatorReceipt | SimulatorMessage if driver == "simulator" else dict[str, Any]
            signature_problems = () if parser.secret_name is None else (401,)
            add_route(
                router,
                "POST",
                f"/{driver}{driver_path}",
                self.report_handler(driver),
                operation_id,
                f"Where {_GATEWAY_NAMES[driver]} reports",
                body=body,
                examples=WEBHOOK_EXAMPLES[driver],
                shape=TakenBody,
                response={"status": "taken"},
                secured=False,
                problems=(400, *signature_problems, 404, 413, 422, 503),
            )
        add_route(
            router,
            "GET",
            f"/cloud_api{path}",
            self.challenge,
            "verifyCloudApiWebhook",
            "Meta's verification of the webhook address",
            responses={200: text_answer("1158201444")},
            secured=False,
            problems=(403, 404, 503),
        )
        return router
