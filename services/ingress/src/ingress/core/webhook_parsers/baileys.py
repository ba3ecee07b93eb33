"""Baileys: what the client under WAHA (NOWEB) and Evolution API says in its own words, which both pass on."""

from collections.abc import Mapping

from ingress.core.reports import Reached
from ingress.core.tree import Tree
from ingress.core.webhook_parsers.people import is_of_many, phone_of_chat

REACHED: Mapping[str, Reached] = {
    "0": "failed", "2": "acknowledged", "3": "delivered", "4": "read", "5": "read",
    "ERROR": "failed", "SERVER_ACK": "acknowledged", "DELIVERY_ACK": "delivered", "READ": "read", "PLAYED": "read",
}  # fmt: skip
"""A message's status, as a number or by its name; what is missing here is no news."""

_WRAPPERS = (
    "deviceSentMessage", "ephemeralMessage", "viewOnceMessage", "viewOnceMessageV2", "viewOnceMessageV2Extension",
    "documentWithCaptionMessage",
)  # fmt: skip
_KINDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
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
"""By the member that a message has: our word for it, and where its text stands."""
_NO_WORDS = frozenset({"protocolMessage", "senderKeyDistributionMessage", "messageContextInfo", "keepInChatMessage"})
_JIDS = ("remoteJid", "remoteJidAlt", "senderPn", "participantAlt")


def content(message: Tree) -> tuple[str, str | None] | None:
    """The kind of a message and its text; None: it is no message but a matter between the apps."""
    for _ in _WRAPPERS:  # one may be in another
        inner = next((message[each]["message"] for each in _WRAPPERS if "message" in message[each]), None)
        if inner is None:
            break
        message = inner
    for name, (kind, places) in _KINDS.items():
        if name in message:
            part = message[name]
            text = part.text if not places else next((part[each].text for each in places if part[each].text), None)
            return ("voice" if kind == "audio" and part["ptt"].flag else kind), text or part["body"]["text"].text
    named = set(message.value) - _NO_WORDS if isinstance(message.value, dict) else set[str]()
    return ("unknown", None) if named else None


def person(key: Tree) -> str | None:
    """The phone number in a message's key, also where the chat itself has a hidden id."""
    return phone_of_chat(key[name].text for name in _JIDS)


def is_group(key: Tree) -> bool:
    return is_of_many(key["remoteJid"].text)
