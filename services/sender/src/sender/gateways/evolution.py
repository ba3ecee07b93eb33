"""Evolution: the driver of Evolution API's instances (WhatsApp Web by Baileys)."""

from sender.core import failure_table, session_states
from sender.core.delivery import Delivery, quoted
from sender.core.gateway_answer import Accepted, Answer, CannotTell, Finding, Refused
from sender.core.session_states import Checked, standing_at
from sender.gateways.credentials import Keyring
from sender.gateways.driver import NumberChecked, Ready
from sender.gateways.http_client import Client, Replied
from sender.gateways.linked_device import Body, LinkedDevice, digits_of, name_of
from sender.gateways.media import File, Media
from spreader.contract.configuration import Profile
from spreader.contract.content import TextContent
from spreader.vault import Undecryptable


class EvolutionDriver:
    def __init__(self, client: Client, keyring: Keyring, media: Media, file_seconds: float) -> None:
        self._device = LinkedDevice(client, keyring, media, file_seconds, "apikey", failure_table.EVOLUTION)

    async def prepare(self, delivery: Delivery, profile: Profile) -> Ready | Refused:
        return await self._device.ready(delivery, profile, lambda file: message(delivery, profile, file))

    async def send(self, ready: Ready, delivery: Delivery, profile: Profile) -> Answer:
        reply = await self._device.post(ready, _with_file)
        match reply:
            case Replied(200 | 201, {"key": {"id": str(name)}}):
                return Accepted(name)
            case Replied(200 | 201):
                return Accepted(None)
            case _:
                return self._device.answer(reply)

    async def find(self, delivery: Delivery, profile: Profile) -> Finding:
        return CannotTell("Evolution API cannot be asked by our id whether it sent a message")

    async def check(self, profile: Profile) -> Checked:
        try:
            reply = await self._device.get(profile, f"/instance/connectionState/{name_of(profile)}")
        except Undecryptable as error:
            return Checked(False, str(error), "failed", code="credentials")
        match reply:
            case Replied(200, {"instance": {"state": str(state)}}):
                return standing_at(session_states.EVOLUTION.get(state), state)
            case _:
                return self._device.not_checked(reply)

    async def check_number(self, profile: Profile, number: str) -> NumberChecked:
        try:
            path = f"/chat/whatsappNumbers/{name_of(profile)}"
            reply = await self._device.ask(profile, path, {"numbers": [number]})
        except Undecryptable as error:
            return NumberChecked(None, str(error), refused=Refused("credentials", str(error)))
        match reply:
            case Replied(200 | 201, [{"exists": bool(exists)} as found, *_]):
                address = (digits_of(found.get("jid")) or number) if exists else None
                return NumberChecked(exists, "Evolution API asked WhatsApp", address)
            case _:
                return self._device.not_told(reply)


def message(delivery: Delivery, profile: Profile, file: File | None) -> tuple[str, Body]:
    """The path and the body of a send, without the bytes of the file."""
    instance = name_of(profile)
    body: Body = {"number": delivery.recipient}
    earlier = quoted(delivery)
    if earlier is not None:
        body["quoted"] = {"key": {"id": earlier}, "message": {}}
    content = delivery.content
    if isinstance(content, TextContent):
        return f"/message/sendText/{instance}", {**body, "text": content.text, "linkPreview": False}
    assert file is not None, "a file was not fetched"
    if content.type == "voice":
        return f"/message/sendWhatsAppAudio/{instance}", {**body, "encoding": True}
    filename = getattr(getattr(content, "media", None), "filename", None) or file.filename or content.type
    body |= {"mediatype": content.type, "mimetype": file.type, "fileName": filename}
    caption = getattr(content, "caption", None)
    return f"/message/sendMedia/{instance}", body if caption is None else {**body, "caption": caption}


def _with_file(body: Body, data: str) -> Body:
    return {**body, "media" if "mediatype" in body else "audio": data}
