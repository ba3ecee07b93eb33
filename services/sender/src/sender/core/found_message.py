"""Found message: recognises a delivery among the messages that a gateway shows as sent.

WAHA and Evolution API know nothing of our delivery ids. So a message counts as the delivery only if it has the same
recipient and the same text, and was sent since the delivery was to be sent. The ledger says whether another delivery
can be meant.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sender.core.delivery import Delivery
from spreader.contract.content import TextContent
from spreader.contract.events import ReplyDeliveryAssigned
from spreader.phone.canonical import spellings

CLOCK_MARGIN = timedelta(seconds=2)
"""How far the gateway's clock may be behind ours. If it is further behind, the message is not recognised."""
CLOCK_ERROR_MAX = timedelta(seconds=60)
"""How far the clocks of the gateway and of the ledger may be apart. No other delivery of so much more time may be
meant."""
_JID_MEMBERS = ("remoteJid", "remoteJidAlt")
_TEXT_MEMBERS = {
    "extendedTextMessage": "text", "imageMessage": "caption", "videoMessage": "caption", "documentMessage": "caption",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """`recipients`: the digits of the chat, in each form that the gateway shows."""

    message_id: str
    recipients: frozenset[str]
    text: str
    at: datetime


def asked_at(delivery: Delivery) -> datetime:
    """When the delivery was to be sent."""
    return delivery.requested_at if isinstance(delivery, ReplyDeliveryAssigned) else delivery.released_at


def forms_of(recipient: str) -> frozenset[str]:
    """The forms of the number under which a gateway may show its chat. Evolution API changes Mexican and Argentine
    numbers too (`createJid.ts`)."""
    return frozenset(spellings(recipient))


def text_of(delivery: Delivery) -> str | None:
    """The text by which the delivery is recognised: its text or caption. None if it has none."""
    content = delivery.content
    text = content.text if isinstance(content, TextContent) else getattr(content, "caption", None)
    return text or None


def found_message(delivery: Delivery, sent: Iterable[ShownMessage]) -> str | None:
    """The gateway's id of the delivery's message. None if none of these messages is it. Several may be it, because a
    reply in doubt is sent once more; the newest one counts."""
    text, recipients, since = text_of(delivery), forms_of(delivery.recipient), asked_at(delivery) - CLOCK_MARGIN
    found = [
        message for message in sent if message.text == text and message.recipients & recipients and message.at >= since
    ]
    return max(found, key=lambda message: message.at).message_id if found else None


def evolution_messages(body: Any) -> Iterator[ShownMessage]:
    """The messages in an answer of `/chat/findMessages`."""
    match body:
        case {"messages": {"records": [*records]}}:
            pass
        case _:
            return
    for record in records:
        match record:
            case {"key": {"id": str(message_id), "fromMe": True} as key, "message": dict(message)}:
                jids = [str(key.get(name, "")) for name in _JID_MEMBERS]
                yield from _sent(message_id, jids, _baileys_text(message), record.get("messageTimestamp"))
            case _:
                pass


def waha_messages(body: Any, bare_id: Any) -> Iterator[ShownMessage]:
    """The messages in an answer of `/api/{session}/chats/{chat}/messages`. `bare_id`: finds WhatsApp's own id in a
    message."""
    for item in body if isinstance(body, list) else ():
        match item:
            case {"fromMe": True, "body": str(text)} if (message_id := bare_id(item)) is not None:
                full_id = str(item.get("id", ""))
                jids = [str(item.get("to", "")), *full_id.split("_")[1:2]]
                yield from _sent(message_id, jids, text, item.get("timestamp"))
            case _:
                pass


def _sent(message_id: str, jids: Iterable[str], text: str | None, seconds: Any) -> Iterator[ShownMessage]:
    recipients = {jid.partition("@")[0] for jid in jids if jid.endswith(("@s.whatsapp.net", "@c.us"))}
    if not text or not isinstance(seconds, int) or not 0 < seconds < 2**33:
        return
    at = datetime.fromtimestamp(seconds, UTC)
    yield ShownMessage(message_id, frozenset(recipients), text, at)


def _baileys_text(message: dict[str, Any]) -> str | None:
    inner = message.get("documentWithCaptionMessage")
    if isinstance(inner, dict) and isinstance(inner.get("message"), dict):
        message = inner["message"]
    if isinstance(conversation := message.get("conversation"), str):
        return conversation
    for member, name in _TEXT_MEMBERS.items():
        part = message.get(member)
        if isinstance(part, dict) and isinstance(text := part.get(name), str):
            return text
    return None
