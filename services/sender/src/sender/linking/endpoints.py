"""Linking endpoints: the part of the sender's internal HTTP API that links accounts and sets webhooks.

What a gateway says of a session is also published as a report, so that a lane opens as soon as a profile is linked.
"""

from collections.abc import Awaitable
from dataclasses import dataclass

from fastapi import FastAPI, HTTPException
from pydantic import Field

from sender.config_cache import SenderConfigCache
from sender.core.session_states import ProfileCheck
from sender.gateways.health_poller import HealthPoller
from sender.gateways.requested_profile import RequestedProfile, same_access
from sender.linking.linker import Linker, Linkers, LinkProgress, Step, WebhookResult, WebhookSetters
from spreader.contract.configuration import Profile
from spreader.contract.content import WebAddress
from spreader.contract.link_answers import LinkMethod, LinkProgressResponse, WebhookSetResponse, WebhookStep
from spreader.text.clean_text import clean
from spreader.vault import Undecryptable


class BeginRequest(RequestedProfile):
    method: LinkMethod
    webhook_url: WebAddress | None = None


class ProgressRequest(RequestedProfile):
    """`method`: what a person waits for; null if no linking is under way."""

    method: LinkMethod | None = None
    has_code: bool = False


class WebhookRequest(RequestedProfile):
    webhook_url: WebAddress
    restart: bool = False
    waba_id: str | None = Field(default=None, pattern="^[0-9]{1,32}$")


@dataclass(frozen=True, slots=True)
class LinkEndpoints:
    linkers: Linkers
    webhooks: WebhookSetters
    config: SenderConfigCache
    poller: HealthPoller

    async def begin(self, request: BeginRequest) -> LinkProgressResponse:
        linker, profile = self._linker(request), request.profile()
        return _response(await _answered(linker.begin(profile, request.method, request.webhook_url)))

    async def progress(self, request: ProgressRequest) -> LinkProgressResponse:
        linker, profile = self._linker(request), request.profile()
        progress = await _answered(linker.progress(profile, request.method, request.has_code))
        if request.method is not None and progress.session == "working":
            await self._report(request.package_id, profile, progress)
        return _response(progress)

    async def log_out(self, request: RequestedProfile) -> LinkProgressResponse:
        profile = request.profile()
        progress = await _answered(self._linker(request).log_out(profile))
        if progress.session == "unlinked":
            await self._report(request.package_id, profile, progress)
        return _response(progress)

    async def set_webhook(self, request: WebhookRequest) -> WebhookSetResponse:
        setter = self.webhooks.get(request.driver)
        if setter is None:
            raise HTTPException(404, f"the webhook of {request.driver} cannot be set from here")
        try:
            result = await setter.set_webhook(request.profile(), request.webhook_url, request.restart, request.waba_id)
        except Undecryptable as error:
            result = WebhookResult([Step("credentials", False, clean(str(error)))])
        steps = [WebhookStep(name=step.name, ok=step.ok, detail=step.detail) for step in result.steps]
        return WebhookSetResponse(set=result.is_set, steps=steps, call_due=result.call_due, no_call=result.no_call)

    async def _report(self, package_id: str, profile: Profile, progress: LinkProgress) -> None:
        configured = self.config.profile(package_id, profile.profile_id)
        if configured is not None and same_access(configured.gateway, profile.gateway):
            check = ProfileCheck(progress.session == "working", progress.detail, progress.session)
            await self.poller.report(package_id, configured, check)

    def _linker(self, request: RequestedProfile) -> Linker:
        linker = self.linkers.get(request.driver)
        if linker is None:
            raise HTTPException(404, f"{request.driver} has no sessions to link")
        return linker


def add_link_endpoints(app: FastAPI, endpoints: LinkEndpoints) -> None:
    @app.post("/profiles/link")
    async def begin_link(request: BeginRequest) -> LinkProgressResponse:
        return await endpoints.begin(request)

    @app.post("/profiles/link/progress")
    async def link_progress(request: ProgressRequest) -> LinkProgressResponse:
        return await endpoints.progress(request)

    @app.post("/profiles/logout")
    async def log_out(request: RequestedProfile) -> LinkProgressResponse:
        return await endpoints.log_out(request)

    @app.post("/profiles/webhook")
    async def set_webhook(request: WebhookRequest) -> WebhookSetResponse:
        return await endpoints.set_webhook(request)


async def _answered(call: Awaitable[LinkProgress]) -> LinkProgress:
    try:
        return await call
    except Undecryptable as error:
        return LinkProgress("failed", clean(str(error)), refused=True)


def _response(progress: LinkProgress) -> LinkProgressResponse:
    return LinkProgressResponse(
        session=progress.session,
        detail=progress.detail,
        refused=progress.refused,
        qr_png=progress.qr_png,
        code=progress.code,
    )
