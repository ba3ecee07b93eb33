"""Causes: the texts in which the services give a reason, in the operator's words."""

import re
from collections.abc import Mapping
from datetime import datetime

from console.core import formats

_CAUSES: tuple[tuple[str, str], ...] = (
    (
        r"asked by us, the gateway of the profile answered: the gateway does not accept the key.*",
        "Connection check failed: the gateway rejected the API key.",
    ),
    (r"asked by us, the gateway of the profile answered: (.*)", r"Connection check: \1"),
    (r"cancelled by the caller", "Cancelled"),
    (r"the gateway refused it: (\w+)", r"The gateway refused a message (\1)."),
)
"""Texts of services, and the words of operators for them."""


_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?(Z|[+]00:00| UTC)")


def cause(text: str) -> str:
    """A text of a service in the operator's words, as a sentence."""
    for pattern, words in _CAUSES:
        if re.fullmatch(pattern, text):
            text = re.sub(pattern, words, text)
            break
    sentence = text[:1].upper() + text[1:]
    return sentence if not sentence or sentence.endswith((".", "!", "?")) else f"{sentence}."


def readable(text: str, names: Mapping[str, str], zone: str, now: datetime) -> str:
    """The text with names in place of the profiles' ids, and with times by the clock of the package."""
    shown = _MOMENT.sub(lambda found: _clock(found[0], zone, now), text)
    if not names:
        return shown
    ids = sorted(names, key=len, reverse=True)
    pattern = r"(?<![\w-])(" + "|".join(map(re.escape, ids)) + r")(?![\w-])"
    return re.sub(pattern, lambda found: names[found[0]], shown)


def _clock(moment: str, zone: str, now: datetime) -> str:
    at = datetime.fromisoformat(moment.replace(" UTC", "Z"))
    return formats.clock(at, zone, now)
