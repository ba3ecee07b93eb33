"""Words: what a gateway said, fit to be kept: short, and without phone numbers or anything that may be a key."""

import re

CHARACTERS_MAX = 300
_DIGITS = re.compile(r"\+?\d{7,}")
_PERHAPS_A_KEY = re.compile(r"[A-Za-z0-9_\-+/=.]{24,}")


def redact(said: object) -> str:
    """Phone numbers keep their last two digits; what is long and without a space is left out."""
    text = _PERHAPS_A_KEY.sub("…", " ".join(str(said).split()))
    return _DIGITS.sub(lambda found: f"…{found[0][-2:]}", text)[:CHARACTERS_MAX]
