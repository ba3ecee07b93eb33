"""Brazil: the number under which WhatsApp knows a customer whose account is older than the 9 in mobile numbers."""

from simulator.core.behaviour import Behaviour

AREA_DIGITS = 4  # 55 and the area's two


def known_number(behaviour: Behaviour, phone: str) -> str:
    """As WhatsApp knows it, for whoever asks or sends with the 9 or without it."""
    area, rest = phone[:AREA_DIGITS], phone[AREA_DIGITS:]
    older = f"{area}{rest.removeprefix('9')}" if len(rest) == 9 else phone
    return older if older in behaviour.without_nine else phone
