"""WAHA linking: creates, starts and logs out sessions of WAHA, and sets their webhooks.

WAHA has one configuration for each session, and a new configuration replaces the old one as a whole. Whenever a running
session gets a configuration (`PUT /api/sessions/{session}`), WAHA stops the session and starts it again.
"""

import base64
from collections.abc import Mapping
from typing import Any

from sender.core.session_states import WAHA
from sender.gateways.http_client import CallOutcome, HttpResponse
from sender.gateways.linked_device import LinkedDevice, error_text, session_name
from sender.linking.linker import (
    LINK_CALL_SECONDS,
    LinkProgress,
    Step,
    WebhookResult,
    base64_image,
    explained,
    failed_step,
    is_success,
    refusal,
)
from spreader.contract.configuration import Profile
from spreader.contract.link_answers import LinkMethod
from spreader.text.clean_text import CleanText, SafeText, clean, clean_id

EVENTS = ("message", "message.any", "message.ack", "message.reaction", "message.edited", "session.status")
ENGINE_EVENT = "engine.event"
"""The event with WhatsApp's own error codes. Older versions refuse a configuration that names it."""
RETRIES = {"policy": "constant", "delaySeconds": 2, "attempts": 60}
ASK_TO_RESTART = (
    "WAHA restarts the session when its webhook is set, so it sends nothing for some seconds. Confirm it with "
    '"restart": true. Nothing was changed'
)
_SCAN, _STOPPED, _FAILED = "SCAN_QR_CODE", "STOPPED", "FAILED"
_PASSKEYS = ("PASSKEY_REQUIRED", "PASSKEY_CONFIRMATION_REQUIRED")

Config = Mapping[str, Any]


class WahaLinker:
    def __init__(self, device: LinkedDevice) -> None:
        self._device = device

    async def begin(self, profile: Profile, method: LinkMethod, webhook_url: str | None) -> LinkProgress:
        path = f"/api/sessions/{session_name(profile)}"
        match await self._call(profile, "GET", path):
            case HttpResponse(404):
                outcome = await self._create(profile, webhook_url)
            case HttpResponse(200, {"status": str(status)}) if status == _STOPPED:
                outcome = await self._call(profile, "POST", f"{path}/start")
            case HttpResponse(200, {"status": str(status)}) if status == _FAILED:
                outcome = await self._call(profile, "POST", f"{path}/restart")
            case found:
                outcome = found
        if is_success(outcome) or "already started" in _words(outcome):
            return await self.progress(profile, method, has_code=False)
        return refusal(self._device, outcome)

    async def progress(self, profile: Profile, method: LinkMethod | None, has_code: bool) -> LinkProgress:
        match await self._call(profile, "GET", f"/api/sessions/{session_name(profile)}"):
            case HttpResponse(200, {"status": str(status)}):
                pass
            case HttpResponse(404):
                return LinkProgress(None, "WAHA has no such session", refused=True)
            case outcome:
                return refusal(self._device, outcome)
        session, detail = WAHA.get(status), clean(f"WAHA: the session is {status}")
        if status in _PASSKEYS:
            return LinkProgress(session, clean(f"{detail}. Answer the passkey request in WAHA's own dashboard"))
        if status == _SCAN and method == "qr":
            return await self._with_qr(profile, detail)
        if status == _SCAN and method == "code" and not has_code:
            return await self._with_code(profile, detail)
        return LinkProgress(session, detail, refused=status == _FAILED)

    async def log_out(self, profile: Profile) -> LinkProgress:
        outcome = await self._call(profile, "POST", f"/api/sessions/{session_name(profile)}/logout")
        if is_success(outcome):
            return LinkProgress("unlinked", "WAHA has logged the session out")
        return refusal(self._device, outcome)

    async def set_webhook(self, profile: Profile, url: str, restart: bool, waba_id: str | None) -> WebhookResult:
        path = f"/api/sessions/{session_name(profile)}"
        match await self._call(profile, "GET", path):
            case HttpResponse(200, {"status": str(status)} as session):
                pass
            case HttpResponse(404):
                detail = "WAHA has no such session. Link the profile first: that creates the session with this webhook"
                return WebhookResult([Step("session", False, detail)])
            case outcome:
                return WebhookResult([failed_step("session", outcome)])
        found = Step("session", True, clean(f"the session is {status}"))
        is_running = status != _STOPPED
        if is_running and not restart:
            return WebhookResult([found, Step("set", False, ASK_TO_RESTART)])
        steps = [found, *await self._put(profile, path, session.get("config") or {}, url)]
        no_call = "the session is stopped, so WAHA reports nothing. Start it"
        return WebhookResult(steps, call_due=is_running and steps[1].ok, no_call=no_call)

    async def _put(self, profile: Profile, path: str, config: Config, url: str) -> list[Step]:
        new = self._config(profile, config, url)
        outcome, note = await self._call(profile, "PUT", path, {"config": new}), ""
        if isinstance(outcome, HttpResponse) and outcome.status == 400:
            older = self._config(profile, config, url, (*EVENTS,))
            outcome = await self._call(profile, "PUT", path, {"config": older})
            note = f" without the event {ENGINE_EVENT}, which this version of WAHA refuses"
        if not is_success(outcome):
            return [failed_step("set", outcome)]
        set_step = Step("set", True, clean(f"WAHA has set the webhook{note}. It restarts a running session"))
        return [set_step, _read_back(await self._call(profile, "GET", path), url)]

    async def _create(self, profile: Profile, webhook_url: str | None) -> CallOutcome:
        config = {} if webhook_url is None else self._config(profile, {}, webhook_url)
        body = {"name": profile.gateway.account, "start": True, "config": config}
        outcome = await self._call(profile, "POST", "/api/sessions", body)
        if webhook_url is None or not (isinstance(outcome, HttpResponse) and outcome.status == 400):
            return outcome
        body["config"] = self._config(profile, {}, webhook_url, EVENTS)
        return await self._call(profile, "POST", "/api/sessions", body)

    def _config(
        self, profile: Profile, old: Config, url: str, events: tuple[str, ...] = (*EVENTS, ENGINE_EVENT)
    ) -> Config:
        """The session's configuration with our webhook. Everything else in it stays."""
        key = self._device.credentials(profile)["hmac_key"]
        webhook = {"url": url, "events": list(events), "hmac": {"key": key}, "retries": RETRIES}
        others = [each for each in old.get("webhooks") or () if not _is_ours(each, url)]
        metadata = {**(old.get("metadata") or {}), "profile.id": profile.profile_id}
        return {**old, "metadata": metadata, "webhooks": [*others, webhook]}

    async def _with_qr(self, profile: Profile, detail: SafeText) -> LinkProgress:
        path, accept = f"/api/{session_name(profile)}/auth/qr?format=image", {"Accept": "application/json"}
        outcome = await self._device.call(profile, "GET", path, headers=accept)
        match outcome:
            case HttpResponse(200, {"data": str(data)}):
                image = base64_image(data)
            case HttpResponse(200, None, raw=raw):  # the image itself
                image = base64.b64encode(raw).decode() or None
            case _:  # WAHA has no image for some seconds, for example while it makes the next one
                return LinkProgress("unlinked", explained(outcome))
        return LinkProgress("unlinked", detail, qr_png=image)

    async def _with_code(self, profile: Profile, detail: SafeText) -> LinkProgress:
        path = f"/api/{session_name(profile)}/auth/request-code"
        match await self._call(profile, "POST", path, {"phoneNumber": profile.phone}):
            case HttpResponse(200 | 201, {"code": str(code)}):
                return LinkProgress("unlinked", detail, code=clean_id(code))
            case outcome:
                return refusal(self._device, outcome)

    async def _call(self, profile: Profile, method: str, path: str, body: Any = None) -> CallOutcome:
        return await self._device.call(profile, method, path, body, LINK_CALL_SECONDS)


def _is_ours(webhook: Any, url: str) -> bool:
    """Whether a configured webhook is an earlier one of the same profile, perhaps at another public address."""
    path = url[url.find("/api/v1/") :]
    return isinstance(webhook, dict) and str(webhook.get("url", "")).endswith(path)


def _read_back(outcome: CallOutcome, url: str) -> Step:
    match outcome:
        case HttpResponse(200, {"config": {"webhooks": [*webhooks]}}):
            shown = any(isinstance(each, dict) and each.get("url") == url for each in webhooks)
            return Step("read back", shown, "WAHA shows the address" if shown else "WAHA does not show the address")
        case _:
            return failed_step("read back", outcome)


def _words(outcome: CallOutcome) -> CleanText:
    return clean(error_text(outcome.body)) if isinstance(outcome, HttpResponse) else clean("")
