"""Cloud content: the kind and the text of a customer's message in Meta's webhooks.

Format: https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/components
"""

from collections.abc import Mapping
from typing import LiteralString

from ingress.core.untrusted_json import UntrustedJson
from spreader.text.clean_text import CleanText, SafeText

NOT_MESSAGES = frozenset({"system", "edit", "revoke", "unsupported", "request_welcome"})
"""Meta's types for messages that no customer wrote. A deleted message may also have the type `unsupported`."""
_TEXTS: Mapping[LiteralString, tuple[str, ...]] = {
    "text": ("body",),
    "button": ("text",),
    "interactive": (),
    "image": ("caption",),
    "video": ("caption",),
    "document": ("caption",),
    "audio": (),
    "reaction": ("emoji",),
    "location": ("name", "address"),
    "order": ("text",),
    "sticker": (),
    "contacts": (),
}
"""The kinds of messages. The tuple names the fields that may have the text, the best first."""
_CHOICES = ("button_reply", "list_reply", "nfm_reply")


def content(message: UntrustedJson) -> tuple[SafeText, CleanText | None] | None:
    """The kind of a message in our terms, and its text. None if no customer wrote it.

    Usually the type of the message is the kind. Otherwise the members of the message show the kind.
    """
    meta_type = message["type"].text or "unknown"
    if meta_type in NOT_MESSAGES:
        return None
    kinds: list[LiteralString] = [kind for kind in _TEXTS if kind in message]
    kind: LiteralString | None = next((each for each in kinds if each == meta_type), None) or next(iter(kinds), None)
    if kind is None:
        return ("unknown", None) if "id" in message else None
    part = message[kind]
    if kind == "audio":
        return ("voice" if part["voice"].boolean else kind), None
    if kind == "interactive":
        choice = next((part[name] for name in _CHOICES if name in part), part)
        return kind, choice["title"].text or choice["body"].text
    text = next((text for name in _TEXTS[kind] if (text := part[name].text)), None)
    # A reaction without an emoji removes an earlier reaction.
    return None if kind == "reaction" and text is None else (kind, text)
