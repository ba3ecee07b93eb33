"""Baileys: the formats of Baileys, the WhatsApp client inside WAHA (engine NOWEB) and Evolution API. Both gateways pass
on the events of Baileys. A JID is WhatsApp's name of a chat (see `contact_ids`)."""

from collections.abc import Mapping
from typing import LiteralString

from ingress.core.reports import ReceiptStatus
from ingress.core.untrusted_json import UntrustedJson
from ingress.core.webhook_parsers.contact_ids import hidden_id_of_jids, is_group_chat, phone_of_jids
from spreader.text.clean_text import CleanText

RECEIPT_STATUSES: Mapping[str, ReceiptStatus] = {
    "0": "failed", "2": "acknowledged", "3": "delivered", "4": "read", "5": "read",
    "ERROR": "failed", "SERVER_ACK": "acknowledged", "DELIVERY_ACK": "delivered", "READ": "read", "PLAYED": "read",
}  # fmt: skip
"""Our status for each status of Baileys. Baileys gives its status as a number or as a name. Other statuses are
ignored."""

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
"""The kind of a message, by the name of the member that contains the message. The tuple names the fields of this member
that may have the text, the best first. If the tuple is empty, the member itself may be the text."""
_NOT_MESSAGES = frozenset(
    {
        "protocolMessage",  # deletions, the setting of disappearing messages, synchronisation of apps
        "senderKeyDistributionMessage",
        "fastRatchetKeySenderKeyDistributionMessage",
        "messageContextInfo",
        "messageHistoryBundle",
        "messageHistoryNotice",
        "placeholderMessage",
        "stickerSyncRmrMessage",
        "keepInChatMessage",
        "pinInChatMessage",
        "editedMessage",
        "secretEncryptedMessage",
        "albumMessage",  # announces pictures, which come as messages of their own
        "call",
        "bcallMessage",
        "callLogMesssage",  # WhatsApp's own spelling
        "scheduledCallCreationMessage",
        "scheduledCallEditMessage",
        "statusNotificationMessage",
        "statusMentionMessage",
    }
)
"""Members of records that no customer wrote."""
_WRAPPERS_MAX = 5
_HIDDEN_MEMBERS = ("remoteJid", "remoteJidAlt", "senderLid")
_JID_MEMBERS = ("remoteJid", "remoteJidAlt", "senderPn", "participantAlt")


def edited_content(message: UntrustedJson) -> tuple[LiteralString, CleanText | None] | None:
    """The kind and the new text of a message that its author changed. None if the record is no such change."""
    wrapped = message["editedMessage"]["message"]
    protocol = (wrapped if wrapped.value else message)["protocolMessage"]
    return content(protocol["editedMessage"]) if "editedMessage" in protocol else None


def content(message: UntrustedJson) -> tuple[LiteralString, CleanText | None] | None:
    """The kind of a message and its text. None if no customer wrote the record, such as traffic between
    WhatsApp's apps."""
    message = _unwrapped(message)
    readings: list[tuple[LiteralString, CleanText | None]] = [
        (kind, _text(message[member], names)) for member, (kind, names) in _KINDS.items() if member in message
    ]
    if readings:
        kind, text = next((reading for reading in readings if reading[1]), readings[0])
        if kind == "reaction" and text is None:  # a reaction was removed
            return None
        if kind == "audio" and (message["audioMessage"]["ptt"].boolean or message["audioMessage"]["PTT"].boolean):
            return "voice", text
        return kind, text
    return ("unknown", None) if _members(message) - _NOT_MESSAGES else None


def is_between_apps(message: UntrustedJson) -> bool:
    """Whether the record has members, but no customer wrote it."""
    return bool(_members(message)) and content(message) is None


def _unwrapped(message: UntrustedJson, wrappers_max: int = _WRAPPERS_MAX) -> UntrustedJson:
    """The message inside its wrappers, such as `ephemeralMessage`. Wrappers may be nested."""
    names = _members(message)
    if wrappers_max == 0 or names & _KINDS.keys():
        return message
    wrapped = [message[name]["message"] for name in sorted(names - _NOT_MESSAGES)]
    inner = [_unwrapped(each, wrappers_max - 1) for each in wrapped if _members(each)]
    return next((each for each in inner if _members(each) & _KINDS.keys()), None) or (inner[0] if inner else message)


def _members(message: UntrustedJson) -> set[str]:
    return {name for name in message.value if name in message} if isinstance(message.value, dict) else set()


def _text(part: UntrustedJson, names: tuple[str, ...]) -> CleanText | None:
    answer = part["nativeFlowResponseMessage"]["paramsJson"].embedded
    texts = [answer["display_text"].text, answer["title"].text]
    texts += [part[name].text for name in names] if names else [part.text]
    return next((text for text in (*texts, part["body"]["text"].text) if text), None)


def phone_of_key(key: UntrustedJson) -> CleanText | None:
    """The phone number in a message's key. The usual JID may hide the number. Then another JID in the key may contain
    it. None if no JID contains the number."""
    return phone_of_jids(key[name].text for name in _JID_MEMBERS)


def hidden_id_of_key(key: UntrustedJson) -> CleanText | None:
    """The JID in a message's key that hides the phone number. None if there is no such JID."""
    return hidden_id_of_jids(key[name].text for name in _HIDDEN_MEMBERS)


def is_group(key: UntrustedJson) -> bool:
    return is_group_chat(key["remoteJid"].text)
