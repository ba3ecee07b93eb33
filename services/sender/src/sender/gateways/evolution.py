"""Evolution driver: sends through instances of Evolution API (WhatsApp Web, by Baileys)."""

from dataclasses import replace
from datetime import timedelta

from sender.core import failure_table, session_states
from sender.core.delivery import Delivery, quoted_message_id
from sender.core.file_names import file_name
from sender.core.found_message import CLOCK_MARGIN, asked_at, evolution_messages, found_message, text_of
from sender.core.gateway_answer import (
    GatewayAnswer,
    LookupResult,
    LookupUnsupported,
    MessageFound,
    SendAccepted,
    SendRefused,
)
from sender.core.session_states import ProfileCheck, session_check
from sender.gateways.credentials import Keyring
from sender.gateways.driver import MediaSource, NumberCheck, PreparedSend
from sender.gateways.http_client import GatewayClient, HttpResponse
from sender.gateways.linked_device import Body, LinkedDevice, digits_of, given_name, session_name
from spreader.contract.configuration import Profile
from spreader.contract.content import TextContent
from spreader.media.store import MediaFile
from spreader.text.clean_text import clean, clean_id
from spreader.vault import Undecryptable

FOUND_MAX = 100
"""The most sent messages that a lookup reads, the newest first."""
BODY_BYTES_MAX = 136 * 2**20
"""Evolution API reads bodies of up to 136 MB (`main.ts` of 2.3.6)."""
DEVICE = ("apikey", failure_table.EVOLUTION, BODY_BYTES_MAX)
"""The header with the key, the failure table, and the largest body."""


class EvolutionDriver:
    def __init__(self, client: GatewayClient, keyring: Keyring, media: MediaSource, file_seconds: float) -> None:
        self._device = LinkedDevice(client, keyring, media, file_seconds, *DEVICE)

    async def prepare(self, delivery: Delivery, profile: Profile) -> PreparedSend | SendRefused:
        return await self._device.prepare(delivery, profile, lambda file: send_request(delivery, profile, file))

    async def send(self, prepared: PreparedSend, delivery: Delivery, profile: Profile) -> GatewayAnswer:
        outcome = await self._device.post(prepared, _with_file)
        match outcome:
            case HttpResponse(200 | 201, {"key": {"id": str(message_id)}}):
                return SendAccepted(clean_id(message_id))
            case HttpResponse(200 | 201):
                return SendAccepted(None)
            case _:
                return self._device.error_answer(outcome)

    async def find(self, delivery: Delivery, profile: Profile) -> LookupResult:
        """Evolution stores a message only after it has sent it. So a message that is not found may have been sent."""
        if text_of(delivery) is None:
            return LookupUnsupported("Evolution API has no lookup by our delivery id")
        since = (asked_at(delivery) - CLOCK_MARGIN).isoformat()
        until = (asked_at(delivery) + timedelta(days=1)).isoformat()  # it takes both times or none
        where = {"key": {"fromMe": True}, "messageTimestamp": {"gte": since, "lte": until}}
        path, body = f"/chat/findMessages/{session_name(profile)}", {"where": where, "offset": FOUND_MAX}
        try:
            outcome = await self._device.query(profile, path, body)
        except Undecryptable as error:
            return LookupUnsupported(clean(str(error)))
        found = found_message(delivery, evolution_messages(outcome.body)) if isinstance(outcome, HttpResponse) else None
        if found is None:
            return LookupUnsupported("Evolution API has no lookup by our delivery id, and shows no such message")
        return MessageFound(clean_id(found), by_text=True)

    async def check(self, profile: Profile) -> ProfileCheck:
        try:
            outcome = await self._device.get(profile, f"/instance/connectionState/{session_name(profile)}")
        except Undecryptable as error:
            return ProfileCheck(False, clean(str(error)), "failed", code="credentials")
        match outcome:
            case HttpResponse(200, {"instance": {"state": "close"}}):
                return await self._closed_check(profile)
            case HttpResponse(200, {"instance": {"state": str(state)}}):
                return session_check(session_states.EVOLUTION.get(state), state)
            case _:
                return self._device.failed_check(outcome)

    async def _closed_check(self, profile: Profile) -> ProfileCheck:
        """The check of a closed instance. Only the list of instances says why a connection has ended for good."""
        path = f"/instance/fetchInstances?instanceName={session_name(profile)}"
        match await self._device.get(profile, path):
            case HttpResponse(200, [{"connectionStatus": "close", "disconnectionReasonCode": int(code)}, *_]):
                state = session_states.ENDED.get(code, "stopped")
                return replace(session_check(state, f"close, {code}"), code=clean_id(str(code)))
            case _:
                return session_check("stopped", "close")

    async def check_number(self, profile: Profile, number: str) -> NumberCheck:
        try:
            path = f"/chat/whatsappNumbers/{session_name(profile)}"
            outcome = await self._device.query(profile, path, {"numbers": [number]})
        except Undecryptable as error:
            return NumberCheck(None, clean(str(error)), refused=SendRefused("credentials", clean(str(error))))
        match outcome:
            case HttpResponse(200 | 201, [{"exists": bool(exists)} as result, *_]):
                address = (digits_of(result.get("jid")) or clean(number)) if exists else None
                return NumberCheck(exists, "Evolution API asked WhatsApp", address)
            case _:
                return self._device.failed_number_check(outcome)


def send_request(delivery: Delivery, profile: Profile, file: MediaFile | None) -> tuple[str, Body]:
    """The path and the body of a send, without the bytes of the file."""
    instance = session_name(profile)
    body: Body = {"number": delivery.recipient}
    quoted = quoted_message_id(delivery)
    if quoted is not None:
        body["quoted"] = {"key": {"id": quoted}}  # with a `message` too, Evolution API would not look the message up
    content = delivery.content
    if isinstance(content, TextContent):
        return f"/message/sendText/{instance}", {**body, "text": content.text, "linkPreview": False}
    assert file is not None, "content with a file needs its file"
    if content.type == "voice":
        return f"/message/sendWhatsAppAudio/{instance}", {**body, "encoding": True}
    # Evolution API derives the type from the name, whatever `mimetype` says. It makes a JPEG of every image.
    filename = "image.jpg" if content.type == "image" else file_name(content.type, file.type, given_name(content, file))
    body |= {"mediatype": content.type, "mimetype": file.type, "fileName": filename}
    caption = getattr(content, "caption", None)
    return f"/message/sendMedia/{instance}", body if caption is None else {**body, "caption": caption}


def _with_file(body: Body, data: str) -> Body:
    return {**body, "media" if "mediatype" in body else "audio": data}
