"""Cloud API driver: sends through Meta's WhatsApp Cloud API. A file is uploaded once and then sent by its id."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import aiohttp

from sender.core import failure_table, session_states
from sender.core.delivery import Delivery, quoted_message_id
from sender.core.file_names import VOICE, file_name
from sender.core.gateway_answer import (
    GatewayAnswer,
    LookupResult,
    LookupUnsupported,
    SendAccepted,
    SendInDoubt,
    SendRefused,
)
from sender.core.session_states import ProfileCheck, session_check
from sender.gateways.credentials import Keyring
from sender.gateways.driver import MediaSource, NumberCheck, PreparedSend
from sender.gateways.http_client import GatewayCall, GatewayClient, HttpResponse, NoResponse, NotReached
from sender.gateways.uploads import UploadCache
from spreader.contract.configuration import Profile
from spreader.contract.content import Content, TemplateContent, TextContent
from spreader.media.safe_fetch import MediaRefused, MediaUnavailable
from spreader.media.store import MediaFile
from spreader.text.clean_text import CleanText, clean, clean_id
from spreader.vault import Undecryptable

NUMBER_FIELDS = "id,display_phone_number,verified_name,quality_rating,name_status,code_verification_status,status"
META_TYPES = {"image": "image", "voice": "audio", "document": "document", "video": "video"}
"""Meta's message type for each kind of content."""
UPLOAD_UNREADABLE = ("131053", "100")
"""Meta's codes for a file that Meta cannot read or has deleted. The next try uploads the file again."""
MINUTES_MAX = 24 * 60
"""The longest wait, in minutes, that is taken from Meta's header."""


class CloudApiDriver:
    def __init__(
        self,
        client: GatewayClient,
        keyring: Keyring,
        media: MediaSource,
        uploads: UploadCache,
        upload_seconds: float,
    ) -> None:
        self._client = client
        self._keyring = keyring
        self._media = media
        self._uploads = uploads
        self._upload_seconds = upload_seconds

    async def prepare(self, delivery: Delivery, profile: Profile) -> PreparedSend | SendRefused:
        try:
            headers = self._headers(profile)
            part, upload = await self._content_part(delivery.content, profile, headers)
        except Undecryptable as error:
            return SendRefused("credentials", clean(str(error)))
        except MediaRefused as error:
            return SendRefused("content", clean(str(error)))
        except MediaUnavailable as error:
            return SendRefused("transient", clean(str(error)))
        except _UploadFailed as error:
            return error.refused
        return PreparedSend(f"{_number_url(profile)}/messages", headers, message_body(delivery, part), upload=upload)

    async def send(self, prepared: PreparedSend, delivery: Delivery, profile: Profile) -> GatewayAnswer:
        match await self._client.call(GatewayCall("POST", prepared.url, prepared.headers, json=prepared.body)):
            case NotReached(detail, retry_after):
                return SendRefused("gateway", detail, retry_after)
            case NoResponse(detail):
                return SendInDoubt(detail, can_ask=False)
            case HttpResponse(200, {"messages": [{"id": str(message_id)}, *_]}):
                return SendAccepted(clean_id(message_id))
            case HttpResponse() as response:
                answer = _error_answer(response)
        if prepared.upload is not None and isinstance(answer, SendRefused) and answer.code in UPLOAD_UNREADABLE:
            await self._uploads.forget(profile.gateway.account, prepared.upload)
            # Code 100 also means other errors. Here it gets the retry policy of an unreadable file.
            return replace(answer, policies=failure_table.CLOUD_API[131053].policies)
        return answer

    async def find(self, delivery: Delivery, profile: Profile) -> LookupResult:
        return LookupUnsupported("the Cloud API has no lookup for sent messages")

    async def check(self, profile: Profile) -> ProfileCheck:
        try:
            headers = self._headers(profile)
        except Undecryptable as error:
            return ProfileCheck(False, clean(str(error)), "failed", code="credentials")
        match await self._client.call(GatewayCall("GET", f"{_number_url(profile)}?fields={NUMBER_FIELDS}", headers)):
            case NotReached(detail) | NoResponse(detail):
                return ProfileCheck(False, detail, reached=False)
            case HttpResponse(200, {"id": _} as number):
                status = str(number.get("status") or "CONNECTED")
                quality = session_states.QUALITY.get(str(number.get("quality_rating")), "unknown")
                return session_check(session_states.CLOUD_API.get(status, "working"), status, quality)
            case HttpResponse() as response:
                return _failed_check(_error_answer(response))

    async def check_number(self, profile: Profile, number: str) -> NumberCheck:
        return NumberCheck(None, "the Cloud API cannot check whether a number is on WhatsApp")

    def _headers(self, profile: Profile) -> Mapping[str, str]:
        """Raises `Undecryptable`."""
        return {"Authorization": f"Bearer {self._keyring.of(profile)['access_token']}"}

    async def _content_part(
        self, content: Content, profile: Profile, headers: Mapping[str, str]
    ) -> tuple[dict[str, Any], str | None]:
        """The content's part of the body, and the id of the upload that it refers to."""
        if isinstance(content, TextContent):
            return {"type": "text", "text": {"body": content.text, "preview_url": False}}, None
        if isinstance(content, TemplateContent):
            template = content.template
            language = {"code": template.language, "policy": "deterministic"}
            body = {"name": template.name, "language": language, "components": list(template.components)}
            return {"type": "template", "template": body}, None
        file = await self._media.file(content.media, content.type)
        upload_id = await self._uploads.upload_id(
            profile.gateway.account, file, lambda: self._upload(file, profile, headers)
        )
        caption = getattr(content, "caption", None)
        return media_part(content.type, file, upload_id, caption, content.media.filename), upload_id

    async def _upload(self, file: MediaFile, profile: Profile, headers: Mapping[str, str]) -> CleanText:
        """Meta's id of the file; raises `_UploadFailed`.

        An upload sends nothing to the customer, so it can be repeated if its response is missing.
        """
        form = aiohttp.FormData()
        form.add_field("messaging_product", "whatsapp")
        mime_type = VOICE if file.type == "audio/ogg" else file.type
        form.add_field("type", mime_type)
        name = file_name("voice" if mime_type == VOICE else "file", file.type, file.filename)
        form.add_field("file", file.data, content_type=mime_type, filename=name)
        call = GatewayCall("POST", f"{_number_url(profile)}/media", headers, data=form, seconds=self._upload_seconds)
        match await self._client.call(call):
            case HttpResponse(200, {"id": str(upload_id)}):
                return clean_id(upload_id)
            case NotReached(detail, retry_after):
                raise _UploadFailed(SendRefused("gateway", detail, retry_after))
            case NoResponse(detail):
                raise _UploadFailed(SendRefused("transient", clean(f"the file could not be uploaded: {detail}")))
            case HttpResponse() as response:
                answer = _error_answer(response)
        if isinstance(answer, SendInDoubt):
            answer = SendRefused("transient", clean(f"the file could not be uploaded: {answer.reason}"))
        raise _UploadFailed(answer)


class _UploadFailed(Exception):
    def __init__(self, refused: SendRefused) -> None:
        super().__init__(refused.detail)
        self.refused = refused


def message_body(delivery: Delivery, part: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a send. Meta repeats `biz_opaque_callback_data`, our delivery id, in every receipt."""
    body = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": delivery.recipient,
        **part,
        "biz_opaque_callback_data": delivery.delivery_id,
    }
    quoted = quoted_message_id(delivery)
    return body if quoted is None else {**body, "context": {"message_id": quoted}}


def media_part(kind: str, file: MediaFile, upload_id: str, caption: str | None, filename: str | None) -> dict[str, Any]:
    meta_type = META_TYPES[kind]
    part: dict[str, Any] = {"id": upload_id}
    if caption is not None:
        part["caption"] = caption
    if kind == "document":
        part["filename"] = file_name(kind, file.type, filename or file.filename)
    if kind == "voice" and file.type.startswith("audio/ogg"):
        part["voice"] = True  # shown as a voice message; WhatsApp shows other formats as audio files
    return {"type": meta_type, meta_type: part}


def _number_url(profile: Profile) -> str:
    return f"{profile.gateway.base_url.rstrip('/')}/{quote(profile.gateway.account, safe='')}"


def _error_answer(response: HttpResponse) -> SendRefused | SendInDoubt:
    code, subcode, text = None, None, ""
    match response.body:
        case {"error": {"code": int(code)} as error}:
            subcode = error.get("error_subcode")
            data = error.get("error_data")
            text = data.get("details") if isinstance(data, dict) else data
            text = text or error.get("message", "")
        case _:
            pass
    retry_after = response.retry_after or _regained_after(response.usage)
    return failure_table.cloud_api_answer(response.status, code, text, retry_after, subcode)


def _regained_after(usage: str | None) -> timedelta | None:
    """The time until Meta allows calls again, from `{"<account>": [{"estimated_time_to_regain_access": minutes}]}`."""
    try:
        accounts = json.loads(usage or "{}")
        minutes = max(int(limit["estimated_time_to_regain_access"]) for uses in accounts.values() for limit in uses)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return timedelta(minutes=min(minutes, MINUTES_MAX)) if minutes > 0 else None


def _failed_check(answer: SendRefused | SendInDoubt) -> ProfileCheck:
    if isinstance(answer, SendInDoubt):
        return ProfileCheck(False, answer.reason, reached=False)
    unusable = answer.failure in ("credentials", "account", "profile")
    return ProfileCheck(False, answer.detail, "failed" if unusable else None, code=answer.code, reached=unusable)
