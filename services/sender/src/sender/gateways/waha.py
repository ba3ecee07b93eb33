"""WAHA: the driver of WAHA's sessions (WhatsApp Web, by several engines)."""

from dataclasses import replace
from typing import Any

from sender.core import failure_table, session_states
from sender.core.delivery import Delivery, quoted
from sender.core.gateway_answer import Accepted, Answer, CannotTell, Finding, Refused
from sender.core.session_states import Checked, standing_at
from sender.gateways.credentials import Keyring
from sender.gateways.driver import NumberChecked, Ready
from sender.gateways.http_client import Client, Replied
from sender.gateways.linked_device import Body, LinkedDevice, digits_of, name_of
from sender.gateways.media import File, Media
from sender.gateways.number_resolver import Addresses
from spreader.contract.configuration import Profile
from spreader.contract.content import TextContent
from spreader.vault import Undecryptable

PATHS = {"image": "/api/sendImage", "voice": "/api/sendVoice", "document": "/api/sendFile", "video": "/api/sendVideo"}
VOICE = "audio/ogg; codecs=opus"


class WahaDriver:
    def __init__(
        self, client: Client, keyring: Keyring, media: Media, file_seconds: float, addresses: Addresses
    ) -> None:
        self._addresses = addresses
        self._device = LinkedDevice(client, keyring, media, file_seconds, "X-Api-Key", failure_table.WAHA)

    async def prepare(self, delivery: Delivery, profile: Profile) -> Ready | Refused:
        ready = await self._device.ready(delivery, profile, lambda file: message(delivery, profile, file))
        if isinstance(ready, Refused):
            return ready
        # Evolution looks for the form of a number that WhatsApp knows by itself; WAHA leaves it to whoever sends.
        address = await self._addresses.of(delivery, profile, lambda number: self.check_number(profile, number))
        return address if isinstance(address, Refused) else replace(ready, body={**ready.body, "chatId": chat(address)})

    async def send(self, ready: Ready, delivery: Delivery, profile: Profile) -> Answer:
        reply = await self._device.post(ready, _with_file)
        if isinstance(reply, Replied) and 200 <= reply.status < 300:
            return Accepted(bare_id(reply.body))
        return self._device.answer(reply)

    async def find(self, delivery: Delivery, profile: Profile) -> Finding:
        return CannotTell("WAHA cannot be asked by our id whether it sent a message")

    async def check(self, profile: Profile) -> Checked:
        try:
            reply = await self._device.get(profile, f"/api/sessions/{name_of(profile)}")
        except Undecryptable as error:
            return Checked(False, str(error), "failed", code="credentials")
        match reply:
            case Replied(200, {"status": str(status)}):
                return standing_at(session_states.WAHA.get(status), status)
            case _:
                return self._device.not_checked(reply)

    async def check_number(self, profile: Profile, number: str) -> NumberChecked:
        try:
            path = f"/api/contacts/check-exists?phone={number}&session={name_of(profile)}"
            reply = await self._device.get(profile, path)
        except Undecryptable as error:
            return NumberChecked(None, str(error), refused=Refused("credentials", str(error)))
        match reply:
            case Replied(200, {"numberExists": True, "chatId": name}):
                return NumberChecked(True, "WAHA asked WhatsApp", digits_of(name) or number)
            case Replied(200, {"numberExists": bool(exists)}):
                return NumberChecked(exists, "WAHA asked WhatsApp", number if exists else None)
            case _:
                return self._device.not_told(reply)


def chat(number: str) -> str:
    return f"{number}@c.us"


def message(delivery: Delivery, profile: Profile, file: File | None) -> tuple[str, Body]:
    """The path and the body of a send, without the bytes of the file."""
    body: Body = {"session": profile.gateway.account, "chatId": chat(delivery.recipient)}
    earlier = quoted(delivery)
    if earlier is not None:
        body["reply_to"] = earlier
    content = delivery.content
    if isinstance(content, TextContent):
        return "/api/sendText", {**body, "text": content.text, "linkPreview": False}
    assert file is not None, "a file was not fetched"
    voice = content.type == "voice"
    ready_voice = voice and file.type.startswith("audio/ogg")
    filename = getattr(getattr(content, "media", None), "filename", None) or file.filename
    described = {"mimetype": VOICE if ready_voice else file.type}
    body["file"] = described if filename is None else {**described, "filename": filename}
    if voice:
        body["convert"] = not ready_voice
    if content.type == "video":
        body |= {"asNote": False, "convert": file.type != "video/mp4"}
    caption = getattr(content, "caption", None)
    return PATHS[content.type], body if caption is None else {**body, "caption": caption}


def _with_file(body: Body, data: str) -> Body:
    return {**body, "file": {**body["file"], "data": data}}


def bare_id(body: Any) -> str | None:
    """WhatsApp's own id of a message, whatever shape the engine gave it: `true_<chat>_<id>[_<participant>]`."""
    match body:
        case {"id": {"_serialized": str(name)}} | {"id": {"id": str(name)}} | {"id": str(name)}:
            pass
        case {"key": {"id": str(name)}}:
            pass
        case _:
            return None
    parts = [part for part in name.split("_") if "@" not in part and part not in ("true", "false")]
    return parts[-1] if parts and parts[-1] else None
