"""Contact ids: finds phone numbers and message ids in the names that gateways give to chats and messages.

A JID is WhatsApp's name of a chat: `<number>@c.us` or `<number>@s.whatsapp.net` for a person, `…@g.us` for a group,
`…@lid` for a person whose number is hidden. `hosted` replaces `s.whatsapp.net` if Meta hosts the account.
"""

import re
from collections.abc import Iterable

from spreader.contract.ids import RECIPIENT_PATTERN
from spreader.text.clean_text import CleanText, clean, clean_id

_NUMBER = re.compile(RECIPIENT_PATTERN)
_PERSON_SERVERS = frozenset({"c.us", "s.whatsapp.net", "hosted"})
_HIDDEN_SERVERS = frozenset({"lid", "hosted.lid"})
_GROUP_SERVERS = frozenset({"g.us", "broadcast", "newsletter"})


def phone_number(text: str | None) -> CleanText | None:
    """The digits of a phone number in international form. The text may begin with +. None if it is not such a
    number."""
    digits = (text or "").removeprefix("+")
    return clean(digits) if _NUMBER.fullmatch(digits) and digits.isascii() else None


def displayed_phone_number(text: str | None) -> CleanText | None:
    """Like `phone_number`, but the text may contain spaces, brackets, dots and dashes."""
    return phone_number(re.sub(r"[\s().\-\u00a0]", "", text or ""))


def phone_of_jids(jids: Iterable[str | None]) -> CleanText | None:
    """The first phone number in these JIDs. Only the JIDs of persons count."""
    for jid in jids:
        user, _, server = (jid or "").partition("@")
        if server in _PERSON_SERVERS and (number := phone_number(user.partition(":")[0])) is not None:
            return number
    return None


def hidden_id_of_jids(jids: Iterable[str | None]) -> CleanText | None:
    """The first JID that hides the phone number. If the JID names a device, the device is left out."""
    for jid in jids:
        user, _, server = (jid or "").partition("@")
        if server in _HIDDEN_SERVERS and user:
            return clean_id(f"{user.partition(':')[0]}@{server}")
    return None


def is_group_chat(jid: str | None) -> bool:
    """Whether a chat is a group, a channel or a broadcast list. Spreader ignores messages of such chats."""
    return (jid or "").partition("@")[2] in _GROUP_SERVERS


def whatsapp_message_id(text: str | None) -> CleanText | None:
    """WhatsApp's id of a message, cut to 256 characters. `text` is `true_<chat>_<ID>[_<participant>]` or the id alone.

    Chat and participant contain an @, so the id is the last part without an @.
    """
    parts = [part for part in (text or "").split("_") if part and "@" not in part]
    return clean_id(parts[-1]) if parts else None
