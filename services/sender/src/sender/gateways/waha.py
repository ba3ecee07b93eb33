"""WAHA driver: sends through sessions of WAHA (WhatsApp Web, by one of several engines)."""

from dataclasses import replace
from typing import Any
from urllib.parse import quote

from sender.core import failure_table, session_states
from sender.core.delivery import Delivery, quoted_message_id
from sender.core.file_names import VOICE, file_name
from sender.core.found_message import forms_of, found_message, text_of, waha_messages
from sender.core.gateway_answer import (
    GatewayAnswer,
    LookupResult,
    LookupUnsupported,
    MessageFound,
    SendAccepted,
    SendRefused,
)
from sender.core.linked_limits import active_lock, new_chat_quota
from sender.core.session_states import ProfileCheck, session_check
from sender.gateways.credentials import Keyring
from sender.gateways.driver import MediaSource, NumberCheck, PreparedSend
from sender.gateways.http_client import GatewayClient, HttpResponse
from sender.gateways.linked_device import Body, LinkedDevice, digits_of, given_name, session_name
from sender.gateways.number_resolver import NumberResolver
from spreader.contract.configuration import Profile
from spreader.contract.content import TextContent
from spreader.media.store import MediaFile
from spreader.text.clean_text import CleanText, clean, clean_id
from spreader.vault import Undecryptable

PATHS = {"image": "/api/sendImage", "voice": "/api/sendVoice", "document": "/api/sendFile", "video": "/api/sendVideo"}
FOUND_MAX = 50
"""The most messages of a chat that a lookup reads, the newest first."""
BODY_BYTES_MAX = 50 * 2**20
"""WAHA reads JSON bodies of up to 50 MB (seen with 2024.10), so a file may have about 37 MB."""
DEVICE = ("X-Api-Key", failure_table.WAHA, BODY_BYTES_MAX)
"""The header with the key, the failure table, and the largest body."""


class WahaDriver:
    def __init__(
        self,
        client: GatewayClient,
        keyring: Keyring,
        media: MediaSource,
        file_seconds: float,
        numbers: NumberResolver,
    ) -> None:
        self._numbers = numbers
        self._device = LinkedDevice(client, keyring, media, file_seconds, *DEVICE)

    async def prepare(self, delivery: Delivery, profile: Profile) -> PreparedSend | SendRefused:
        prepared = await self._device.prepare(delivery, profile, lambda file: send_request(delivery, profile, file))
        if isinstance(prepared, SendRefused):
            return prepared
        # WhatsApp may know a number by other digits than the given ones. Evolution API looks them up, WAHA does not.
        digits = await self._numbers.resolve(delivery, profile, lambda number: self.check_number(profile, number))
        if isinstance(digits, SendRefused):
            return digits
        chat = {"chatId": chat_id(digits)}
        if (quoted := quoted_message_id(delivery)) is not None:
            chat["reply_to"] = full_message_id(digits, quoted)
        return replace(prepared, body={**prepared.body, **chat})

    async def send(self, prepared: PreparedSend, delivery: Delivery, profile: Profile) -> GatewayAnswer:
        outcome = await self._device.post(prepared, _with_file)
        if isinstance(outcome, HttpResponse) and 200 <= outcome.status < 300:
            return SendAccepted(message_id(outcome.body))
        return self._device.error_answer(outcome)

    async def find(self, delivery: Delivery, profile: Profile) -> LookupResult:
        """WAHA shows the messages of a chat, except with the engine NOWEB without its store. A message that it does not
        show may have been sent."""
        if text_of(delivery) is None:
            return LookupUnsupported("WAHA has no lookup by our delivery id")
        for number in sorted(forms_of(delivery.recipient)):  # the chat has the form that WhatsApp knows
            chat = quote(chat_id(number), safe="")
            path = f"/api/{session_name(profile)}/chats/{chat}/messages?limit={FOUND_MAX}&downloadMedia=false"
            try:
                outcome = await self._device.get(profile, path)
            except Undecryptable as error:
                return LookupUnsupported(clean(str(error)))
            messages = waha_messages(outcome.body, message_id) if isinstance(outcome, HttpResponse) else ()
            if (found := found_message(delivery, messages)) is not None:
                return MessageFound(clean_id(found), by_text=True)
        return LookupUnsupported("WAHA has no lookup by our delivery id, and shows no such message")

    async def check(self, profile: Profile) -> ProfileCheck:
        try:
            outcome = await self._device.get(profile, f"/api/sessions/{session_name(profile)}")
        except Undecryptable as error:
            return ProfileCheck(False, clean(str(error)), "failed", code="credentials")
        match outcome:
            case HttpResponse(200, {"status": str(status)} as session):
                check = session_check(session_states.WAHA.get(status), status)
                me = session.get("me") if isinstance(session.get("me"), dict) else {}
                lock, quota = active_lock(me.get("reachoutTimelock")), new_chat_quota(me.get("messageCapping"))
                return replace(check, restriction=lock, quota=quota)
            case _:
                return self._device.failed_check(outcome)

    async def check_number(self, profile: Profile, number: str) -> NumberCheck:
        try:
            path = f"/api/contacts/check-exists?phone={number}&session={session_name(profile)}"
            outcome = await self._device.get(profile, path)
        except Undecryptable as error:
            return NumberCheck(None, clean(str(error)), refused=SendRefused("credentials", clean(str(error))))
        match outcome:
            case HttpResponse(200, {"numberExists": True} as found):
                digits = digits_of(found.get("chatId")) or digits_of(found.get("pn"))  # GOWS: a hidden id and `pn`
                return NumberCheck(True, "WAHA asked WhatsApp", digits or clean(number))
            case HttpResponse(200, {"numberExists": bool(exists)}):
                return NumberCheck(exists, "WAHA asked WhatsApp", clean(number) if exists else None)
            case _:
                return self._device.failed_number_check(outcome)

    async def number_of(self, profile: Profile, hidden_id: str) -> CleanText | None:
        """The number behind an id such as `…@lid`. None if WAHA does not know it or does not answer."""
        try:
            outcome = await self._device.get(profile, f"/api/{session_name(profile)}/lids/{quote(hidden_id, safe='')}")
        except Undecryptable:
            return None
        match outcome:
            case HttpResponse(200, {"pn": pn}):
                return digits_of(pn)
            case _:
                return None


def chat_id(number: str) -> str:
    return f"{number}@c.us"


def full_message_id(number: str, message_id: str) -> str:
    """The id of a customer's message in the form that every engine takes. WEBJS finds no message by the id alone."""
    return message_id if "_" in message_id else f"false_{chat_id(number)}_{message_id}"


def send_request(delivery: Delivery, profile: Profile, file: MediaFile | None) -> tuple[str, Body]:
    """The path and the body of a send, without the bytes of the file."""
    body: Body = {"session": profile.gateway.account, "chatId": chat_id(delivery.recipient)}
    quoted = quoted_message_id(delivery)
    if quoted is not None:
        body["reply_to"] = full_message_id(delivery.recipient, quoted)
    content = delivery.content
    if isinstance(content, TextContent):
        return "/api/sendText", {**body, "text": content.text, "linkPreview": False}
    assert file is not None, "content with a file needs its file"
    is_voice = content.type == "voice"
    is_voice_format = is_voice and file.type.startswith("audio/ogg")
    filename = given_name(content, file)
    if content.type == "document":  # a document without a name arrives as "file"
        filename = file_name(content.type, file.type, filename)
    file_fields = {"mimetype": VOICE if is_voice_format else file.type}
    body["file"] = file_fields if filename is None else {**file_fields, "filename": filename}
    if is_voice:
        body["convert"] = not is_voice_format
    if content.type == "video":
        body |= {"asNote": False, "convert": file.type != "video/mp4"}
    caption = getattr(content, "caption", None)
    return PATHS[content.type], body if caption is None else {**body, "caption": caption}


def _with_file(body: Body, data: str) -> Body:
    return {**body, "file": {**body["file"], "data": data}}


def message_id(body: Any) -> CleanText | None:
    """WhatsApp's own id of a message; None if the body has none.

    Some engines of WAHA return the id alone, others `true_<chat>_<id>[_<participant>]`.
    """
    match body:
        case {"id": {"_serialized": str(serialized)}} | {"id": {"id": str(serialized)}} | {"id": str(serialized)}:
            pass
        case {"key": {"id": str(serialized)}}:
            pass
        case _:
            return None
    parts = [part for part in serialized.split("_") if "@" not in part and part not in ("true", "false")]
    return clean_id(parts[-1]) if parts and parts[-1] else None
