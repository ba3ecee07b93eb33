"""Phone numbers: the hidden ids of customers (`@lid`), and the older form of Brazilian numbers, which lacks
the 9 before the last eight digits."""

from simulator.core.behaviour import Behaviour

BRAZIL_AREA_DIGITS = 4  # the country code 55 and a two-digit area code


def hide_number(phone: str) -> str:
    """The customer's hidden id. Unlike a real hidden id, it can be turned back into the phone number."""
    return f"9{len(phone):02}{phone[::-1]}"


def reveal_number(lid: str) -> str | None:
    """The number behind a hidden id. None: the simulator did not make the id."""
    phone = lid[3:][::-1]
    return phone if lid.isdecimal() and hide_number(phone) == lid else None


def chat_id(phone: str, domain: str, lid: bool) -> str:
    """The id of the chat with a customer. It contains the hidden id if `lid` is true, otherwise the phone number."""
    return f"{hide_number(phone)}@lid" if lid else f"{phone}@{domain}"


def known_number(behaviour: Behaviour, phone: str) -> str:
    """The number under which WhatsApp knows a customer: without the 9 for those in `behaviour.without_nine`."""
    area, rest = phone[:BRAZIL_AREA_DIGITS], phone[BRAZIL_AREA_DIGITS:]
    older = f"{area}{rest.removeprefix('9')}" if len(rest) == 9 else phone
    return older if older in behaviour.without_nine else phone
