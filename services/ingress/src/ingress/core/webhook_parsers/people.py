"""Person: whom a gateway means, as a phone number where one can be had."""

import re
from collections.abc import Iterable

from spreader.contract.ids import RECIPIENT_PATTERN

_NUMBER = re.compile(RECIPIENT_PATTERN)
_OF_PEOPLE = frozenset({"c.us", "s.whatsapp.net"})
_OF_MANY = frozenset({"g.us", "broadcast", "newsletter"})


def phone(text: str | None) -> str | None:
    """The digits of a number in international form; None where it is none."""
    digits = (text or "").removeprefix("+")
    return digits if _NUMBER.fullmatch(digits) and digits.isascii() else None


def display_phone(text: str | None) -> str | None:
    """As a person writes it, with spaces, brackets and dashes."""
    return phone(re.sub(r"[\s().\-\u00a0]", "", text or ""))


def phone_of_chat(jids: Iterable[str | None]) -> str | None:
    """The first that is a person's number; a hidden id (`@lid`) is none."""
    for jid in jids:
        name, _, server = (jid or "").partition("@")
        if server in _OF_PEOPLE and (number := phone(name.partition(":")[0])) is not None:
            return number
    return None


def is_of_many(jid: str | None) -> bool:
    """Whether a chat is a group, a channel or a broadcast: none of ours."""
    return (jid or "").partition("@")[2] in _OF_MANY


def bare_id(text: str | None) -> str | None:
    """WhatsApp's own name of a message, out of `true_<chat>_<ID>[_<participant>]` or as it is."""
    parts = [part for part in (text or "").split("_") if part and "@" not in part]
    return parts[-1][:256] if parts else None
