"""Baileys: the formats of Baileys, the WhatsApp client inside WAHA (engine NOWEB) and Evolution API. Both gateways pass
on the events of Baileys."""

from collections.abc import Mapping
from typing import LiteralString

from ingress.core.reports import ReceiptStatus
from ingress.core.untrusted_json import UntrustedJson
from ingress.core.webhook_parsers.contact_ids import is_group_chat, phone_of_jids
from spreader.text.clean_text import CleanText

RECEIPT_STATUSES: Mapping[str, ReceiptStatus] = {
    "0": "failed", "2": "acknowledged", "3": "delivered", "4": "read", "5": "read",
    "ERROR": "failed", "SERVER_ACK": "acknowledged", "DELIVERY_ACK": "delivered", "READ": "read", "PLAYED": "read",
}  # fmt: skip
"""Our status for each status of Baileys. Baileys gives its status as a number or as a name. Other statuses are
ignored."""

_WRAPPERS = (
    "deviceSentMessage", "ephemeralMessage", "viewOnceMessage", "viewOnceMessageV2", "viewOnceMessageV2Extension",
    "documentWithCaptionMessage",
)  # fmt: skip
_KINDS: Mapping[str, tuple[LiteralString, tuple[str, ...]]] = {
    "conversation": ("text", ()),
    "extendedTextMessage": ("text", ("text",)),
    "imageMessage": ("image", ("caption",)),
    "videoMessage": ("video", ("caption",)),
    "ptvMessage": ("video", ()),
    "audioMessage": ("audio", ()),
    "documentMessage": ("document", ("caption",)),
    "stickerMessage": ("sticker", ()),
    "locationMessage": ("location", ("name", "address")),
    "liveLocationMessage": ("location", ("caption",)),
    "contactMessage": ("contacts", ()),
    "contactsArrayMessage": ("contacts", ()),
    "reactionMessage": ("reaction", ("text",)),
    "buttonsResponseMessage": ("button", ("selectedDisplayText",)),
    "templateButtonReplyMessage": ("button", ("selectedDisplayText",)),
    "listResponseMessage": ("interactive", ("title",)),
    "interactiveResponseMessage": ("interactive", ("body",)),
    "orderMessage": ("order", ("message",)),
}
"""The kind of a message by the member that the message has. The tuple names the fields of the member that may have the
text, the best first. If it is empty, only the member itself can be the text."""
_NOT_MESSAGES = frozenset(
    {
        "protocolMessage",
        "senderKeyDistributionMessage",
        "messageContextInfo",
        "keepInChatMessage",
        "editedMessage",
        "albumMessage",  # announces pictures, which come as messages of their own
    }
)
_JID_MEMBERS = ("remoteJid", "remoteJidAlt", "senderPn", "participantAlt")


def edited_content(message: UntrustedJson) -> tuple[LiteralString, CleanText | None] | None:
    """The kind and the new text of a message that its author changed. None if the record is no such change."""
    wrapped = message["editedMessage"]["message"]
    protocol = (wrapped if wrapped.value else message)["protocolMessage"]
    return content(protocol["editedMessage"]) if "editedMessage" in protocol else None


def content(message: UntrustedJson) -> tuple[LiteralString, CleanText | None] | None:
    """The kind of a message and its text. None if the record is traffic between WhatsApp's apps and not a message."""
    for _ in _WRAPPERS:  # wrappers may be nested
        inner = next((message[wrapper]["message"] for wrapper in _WRAPPERS if "message" in message[wrapper]), None)
        if inner is None:
            break
        message = inner
    for member, (kind, text_members) in _KINDS.items():
        if member in message:
            part = message[member]
            texts = [part[name].text for name in text_members] if text_members else [part.text]
            text = next((text for text in texts if text), None) or part["body"]["text"].text  # interactiveResponse
            return ("voice" if kind == "audio" and (part["ptt"].boolean or part["PTT"].boolean) else kind), text
    other_members = set(message.value) - _NOT_MESSAGES if isinstance(message.value, dict) else set[str]()
    return ("unknown", None) if other_members else None


def phone_of_key(key: UntrustedJson) -> CleanText | None:
    """The phone number in a message's key. The usual JID may hide the number, and then an alternative JID may contain
    it. None if no JID contains the number."""
    return phone_of_jids(key[name].text for name in _JID_MEMBERS)


def is_group(key: UntrustedJson) -> bool:
    return is_group_chat(key["remoteJid"].text)
