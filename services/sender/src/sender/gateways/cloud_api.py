"""Cloud API: the driver of Meta's own gateway. Files are uploaded once and named by their id."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import aiohttp

from sender.core import failure_table, session_states
from sender.core.delivery import Delivery, quoted
from sender.core.gateway_answer import Accepted, Answer, CannotTell, Finding, InDoubt, Refused
from sender.core.session_states import Checked, standing_at
from sender.gateways.credentials import Keyring
from sender.gateways.driver import NumberChecked, Ready
from sender.gateways.http_client import Away, Call, Client, Replied, Silent
from sender.gateways.media import File, Media
from sender.gateways.uploads import Uploads
from spreader.contract.configuration import Profile
from spreader.contract.content import Content, TemplateContent, TextContent
from spreader.media.safe_fetch import MediaRefused, MediaUnavailable
from spreader.vault import Undecryptable

FIELDS = "id,display_phone_number,verified_name,quality_rating,name_status,code_verification_status,status"
WORD_FOR_KIND = {"image": "image", "voice": "audio", "document": "document", "video": "video"}
UPLOAD_UNREADABLE = ("131053", "100")
"""What Meta says of a file that it cannot read, or does not have any more: the next try uploads it anew."""
MINUTES_MAX = 24 * 60


class CloudApiDriver:
    def __init__(self, client: Client, keyring: Keyring, media: Media, uploads: Uploads, upload_seconds: float) -> None:
        self._client = client
        self._keyring = keyring
        self._media = media
        self._uploads = uploads
        self._upload_seconds = upload_seconds

    async def prepare(self, delivery: Delivery, profile: Profile) -> Ready | Refused:
        try:
            headers = {"Authorization": f"Bearer {self._keyring.of(profile)['access_token']}"}
            part, upload = await self._part(delivery.content, profile, headers)
        except Undecryptable as error:
            return Refused("credentials", str(error))
        except MediaRefused as error:
            return Refused("content", str(error))
        except MediaUnavailable as error:
            return Refused("transient", str(error))
        except _NotUploaded as error:
            return error.refused
        return Ready(f"{_address(profile)}/messages", headers, message(delivery, part), upload=upload)

    async def send(self, ready: Ready, delivery: Delivery, profile: Profile) -> Answer:
        match await self._client.call(Call("POST", ready.url, ready.headers, json=ready.body)):
            case Away(detail, retry_after):
                return Refused("gateway", detail, retry_after)
            case Silent(detail):
                return InDoubt(detail, can_ask=False)
            case Replied(200, {"messages": [{"id": str(wamid)}, *_]}):
                return Accepted(wamid)
            case Replied() as reply:
                answer = _refusal(reply)
        if ready.upload is not None and isinstance(answer, Refused) and answer.code in UPLOAD_UNREADABLE:
            await self._uploads.forget(profile.gateway.account, ready.upload)
            return replace(answer, courses=failure_table.CLOUD_API[131053].courses)
        return answer

    async def find(self, delivery: Delivery, profile: Profile) -> Finding:
        return CannotTell("the Cloud API cannot be asked whether it sent a message")

    async def check(self, profile: Profile) -> Checked:
        try:
            headers = {"Authorization": f"Bearer {self._keyring.of(profile)['access_token']}"}
        except Undecryptable as error:
            return Checked(False, str(error), "failed", code="credentials")
        match await self._client.call(Call("GET", f"{_address(profile)}?fields={FIELDS}", headers)):
            case Away(detail) | Silent(detail):
                return Checked(False, detail, reached=False)
            case Replied(200, {"id": _} as number):
                said = str(number.get("status") or "CONNECTED")
                quality = session_states.QUALITY.get(str(number.get("quality_rating")), "unknown")
                return standing_at(session_states.CLOUD_API.get(said, "working"), said, quality)
            case Replied() as reply:
                return _check_refused(_refusal(reply))

    async def check_number(self, profile: Profile, number: str) -> NumberChecked:
        return NumberChecked(None, "the Cloud API cannot be asked whether a number exists")

    async def _part(
        self, content: Content, profile: Profile, headers: Mapping[str, str]
    ) -> tuple[dict[str, Any], str | None]:
        """The body's part for the content, and the upload that it speaks of."""
        if isinstance(content, TextContent):
            return {"type": "text", "text": {"body": content.text, "preview_url": False}}, None
        if isinstance(content, TemplateContent):
            template = content.template
            language = {"code": template.language, "policy": "deterministic"}
            said = {"name": template.name, "language": language, "components": list(template.components)}
            return {"type": "template", "template": said}, None
        file = await self._media.file(content.media, content.type)
        kept = await self._uploads.name_of(profile.gateway.account, file, lambda: self._upload(file, profile, headers))
        part = media_part(content.type, file, kept, getattr(content, "caption", None), content.media.filename)
        return part, kept

    async def _upload(self, file: File, profile: Profile, headers: Mapping[str, str]) -> str:
        """Meta's name for the file; raises `_NotUploaded`. Nothing is sent by it, so silence is no doubt."""
        form = aiohttp.FormData()
        form.add_field("messaging_product", "whatsapp")
        form.add_field("type", file.type)
        form.add_field("file", file.data, content_type=file.type, filename=file.filename or "file")
        call = Call("POST", f"{_address(profile)}/media", headers, data=form, seconds=self._upload_seconds)
        match await self._client.call(call):
            case Replied(200, {"id": str(name)}):
                return name
            case Away(detail, retry_after):
                raise _NotUploaded(Refused("gateway", detail, retry_after))
            case Silent(detail):
                raise _NotUploaded(Refused("transient", f"the file was not taken: {detail}"))
            case Replied() as reply:
                answer = _refusal(reply)
        if isinstance(answer, InDoubt):
            answer = Refused("transient", f"the file was not taken: {answer.reason}")
        raise _NotUploaded(answer)


class _NotUploaded(Exception):
    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.detail)
        self.refused = refused


def message(delivery: Delivery, part: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a send; the delivery's id comes back with every receipt."""
    body = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": delivery.recipient,
        **part,
        "biz_opaque_callback_data": delivery.delivery_id,
    }
    earlier = quoted(delivery)
    return body if earlier is None else {**body, "context": {"message_id": earlier}}


def media_part(kind: str, file: File, name: str, caption: str | None, filename: str | None) -> dict[str, Any]:
    word = WORD_FOR_KIND[kind]
    said: dict[str, Any] = {"id": name}
    if caption is not None:
        said["caption"] = caption
    if kind == "document":
        said["filename"] = filename or file.filename or "document"
    if kind == "voice" and file.type.startswith("audio/ogg"):
        said["voice"] = True  # with a wave and a microphone; other formats can only be audio files
    return {"type": word, word: said}


def _address(profile: Profile) -> str:
    return f"{profile.gateway.base_url.rstrip('/')}/{quote(profile.gateway.account, safe='')}"


def _refusal(reply: Replied) -> Refused | InDoubt:
    code, said = None, ""
    match reply.body:
        case {"error": {"code": int(code)} as error}:
            data = error.get("error_data")
            said = data.get("details") if isinstance(data, dict) else data
            said = said or error.get("message", "")
        case _:
            pass
    return failure_table.cloud_api(reply.status, code, said, reply.retry_after or _regained(reply.usage))


def _regained(usage: str | None) -> timedelta | None:
    """How long Meta says that our share of calls is used up: `{"<account>": [{"estimated_time_…": minutes}]}`."""
    try:
        accounts = json.loads(usage or "{}")
        minutes = max(int(each["estimated_time_to_regain_access"]) for uses in accounts.values() for each in uses)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return timedelta(minutes=min(minutes, MINUTES_MAX)) if minutes > 0 else None


def _check_refused(answer: Refused | InDoubt) -> Checked:
    if isinstance(answer, InDoubt):
        return Checked(False, answer.reason, reached=False)
    lost = answer.failure in ("credentials", "account", "profile")
    return Checked(False, answer.detail, "failed" if lost else None, code=answer.code, reached=lost)
