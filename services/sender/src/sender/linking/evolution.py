"""Evolution linking: creates, connects and logs out instances of Evolution API, and sets their webhooks.

An instance makes a pairing code only if its connection was begun with the phone number. So a code for an instance that
shows QR images needs a log-out first. While an instance shows a code, Evolution renews it from time to time.
"""

import asyncio
from typing import Any
from urllib.parse import quote

from sender.core.session_states import EVOLUTION
from sender.gateways.http_client import CallOutcome, HttpResponse
from sender.gateways.linked_device import LinkedDevice, error_text, session_name
from sender.linking.linker import (
    LINK_CALL_SECONDS,
    LinkProgress,
    Step,
    WebhookResult,
    base64_image,
    failed_step,
    is_success,
    refusal,
)
from spreader.contract.configuration import Profile
from spreader.contract.link_answers import LinkMethod
from spreader.text.clean_text import clean, clean_id

EVENTS = (
    "MESSAGES_UPSERT",
    "MESSAGES_EDITED",
    "MESSAGES_UPDATE",
    "SEND_MESSAGE",
    "CONNECTION_UPDATE",
    "STATUS_INSTANCE",
    "QRCODE_UPDATED",
    "LOGOUT_INSTANCE",
)
CLOSED_LOOKS, CLOSED_LOOK_SECONDS = 10, 0.5
"""How many times the state of the connection is read after a log-out, and the pause between two reads. Evolution
responds to the log-out before it has closed the connection."""
NO_CALL_FROM_OPEN = (
    "Evolution API has no test call, and reports nothing now. Wait for the next event, or repeat this with "
    '"restart": true: then it connects again and reports that'
)
NO_CALL_FROM_CLOSED = "the instance is not connected, so Evolution API reports nothing. Link the profile"


class EvolutionLinker:
    def __init__(self, device: LinkedDevice) -> None:
        self._device = device

    async def begin(self, profile: Profile, method: LinkMethod, webhook_url: str | None) -> LinkProgress:
        outcome = await self._state(profile)
        if isinstance(outcome, HttpResponse) and outcome.status == 404:
            return await self._create(profile, method, webhook_url)
        match _state_of(outcome):
            case "open":
                return _connected("open")
            case "connecting":
                shown = await self._connect(profile, None)
                if method == "qr" or shown.code is not None:
                    return shown
                await self._call(profile, "DELETE", f"/instance/logout/{session_name(profile)}")
                await self._until_closed(profile)
                return await self._connect(profile, method)
            case "close" | "refused":
                return await self._connect(profile, method)
            case None if is_success(outcome):
                return LinkProgress(
                    "failed", "Evolution API knows the instance but has not loaded it. Restart it", True
                )
            case _:
                return refusal(self._device, outcome)

    async def progress(self, profile: Profile, method: LinkMethod | None, has_code: bool) -> LinkProgress:
        outcome = await self._state(profile)
        state = _state_of(outcome)
        if state is None:
            return refusal(self._device, outcome)
        # Only a connecting instance is asked for its image: at a closed one, the same call would open a connection.
        if state == "connecting" and method is not None:
            return await self._connect(profile, None)
        return _connected(state)

    async def log_out(self, profile: Profile) -> LinkProgress:
        outcome = await self._call(profile, "DELETE", f"/instance/logout/{session_name(profile)}")
        if is_success(outcome) or "is not connected" in _words(outcome):
            return LinkProgress("unlinked", "Evolution API has logged the instance out")
        return refusal(self._device, outcome)

    async def set_webhook(self, profile: Profile, url: str, restart: bool, waba_id: str | None) -> WebhookResult:
        instance = session_name(profile)
        state_outcome = await self._state(profile)
        if not is_success(state_outcome):
            return WebhookResult([failed_step("session", state_outcome)])
        state = _state_of(state_outcome)
        found = Step("session", True, clean(f"the instance is {state or 'not loaded'}"))
        outcome = await self._call(
            profile, "POST", f"/webhook/set/{instance}", {"webhook": self._webhook(profile, url)}
        )
        if not is_success(outcome):
            return WebhookResult([found, failed_step("set", outcome)])
        steps = [found, Step("set", True, "Evolution API has taken the address")]
        steps.append(_read_back(await self._call(profile, "GET", f"/webhook/find/{instance}"), url))
        if state not in ("open", "connecting"):
            return WebhookResult(steps, no_call=NO_CALL_FROM_CLOSED)
        if not restart:
            return WebhookResult(steps, no_call=NO_CALL_FROM_OPEN)
        restarted = await self._call(profile, "POST", f"/instance/restart/{instance}")
        if not is_success(restarted):
            return WebhookResult([*steps, failed_step("restart", restarted)], no_call="the instance did not restart")
        return WebhookResult([*steps, Step("restart", True, "the instance connects again")], call_due=True)

    async def _create(self, profile: Profile, method: LinkMethod, webhook_url: str | None) -> LinkProgress:
        body: dict[str, Any] = {
            "instanceName": profile.gateway.account,
            "integration": "WHATSAPP-BAILEYS",
            "qrcode": True,
        }
        if method == "code":
            body["number"] = profile.phone
        if webhook_url is not None:
            body["webhook"] = self._webhook(profile, webhook_url)
        match await self._call(profile, "POST", "/instance/create", body):
            case HttpResponse(200 | 201, {"qrcode": dict(shown)}):
                return _shown(shown)
            case HttpResponse(200 | 201):
                return LinkProgress("starting", "Evolution API has created the instance")
            case outcome:
                return refusal(self._device, outcome)

    async def _connect(self, profile: Profile, method: LinkMethod | None) -> LinkProgress:
        number = f"?number={quote(profile.phone)}" if method == "code" else ""
        match await self._call(profile, "GET", f"/instance/connect/{session_name(profile)}{number}"):
            case HttpResponse(200, {"instance": {"state": str(state)}}):
                return _connected(state)
            case HttpResponse(200, {"error": True, "message": message}):
                return LinkProgress(None, clean(f"Evolution API: {message}"))
            case HttpResponse(200, dict(shown)):
                return _shown(shown.get("qrcode") or shown)
            case outcome:
                return refusal(self._device, outcome)

    async def _until_closed(self, profile: Profile) -> None:
        for _ in range(CLOSED_LOOKS):
            if _state_of(await self._state(profile)) != "connecting":
                return
            await asyncio.sleep(CLOSED_LOOK_SECONDS)

    def _webhook(self, profile: Profile, url: str) -> dict[str, Any]:
        token = self._device.credentials(profile)["webhook_token"]
        return {
            "enabled": True,
            "url": url,
            "headers": {"Authorization": f"Bearer {token}"},
            "byEvents": False,
            "base64": False,
            "events": list(EVENTS),
        }

    async def _state(self, profile: Profile) -> CallOutcome:
        return await self._call(profile, "GET", f"/instance/connectionState/{session_name(profile)}")

    async def _call(self, profile: Profile, method: str, path: str, body: Any = None) -> CallOutcome:
        return await self._device.call(profile, method, path, body, LINK_CALL_SECONDS)


def _state_of(outcome: CallOutcome) -> str | None:
    match outcome:
        case HttpResponse(200, {"instance": {"state": str(state)}}):
            return state
        case _:
            return None


def _connected(state: str) -> LinkProgress:
    return LinkProgress(EVOLUTION.get(state), clean(f"Evolution API: the connection is {state}"))


def _shown(qrcode: dict[str, Any]) -> LinkProgress:
    """What an instance shows while it waits for a person. It shows nothing for its first seconds."""
    code = qrcode.get("pairingCode")
    return LinkProgress(
        "unlinked",
        "Evolution API: the instance waits for a phone",
        qr_png=base64_image(qrcode.get("base64")),
        code=clean_id(str(code)) if code else None,
    )


def _read_back(outcome: CallOutcome, url: str) -> Step:
    match outcome:
        case HttpResponse(200, {"url": str(shown), "enabled": bool(enabled)}) if shown == url and enabled:
            return Step("read back", True, "Evolution API shows the address")
        case HttpResponse(200):
            return Step("read back", False, "Evolution API does not show the address")
        case _:
            return failed_step("read back", outcome)


def _words(outcome: CallOutcome) -> str:
    return error_text(outcome.body) if isinstance(outcome, HttpResponse) else ""
