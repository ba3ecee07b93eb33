"""Dressed number: a phone number as people and spreadsheet programs write it."""

import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import unquote

from spreader.contract.ids import RECIPIENT_DIGITS_MAX, RECIPIENT_DIGITS_MIN
from spreader.phone.national import complete, without_trunk_zero

CHARACTERS_MAX = 200
SEVERAL = "it has several numbers: give each a row of its own"

_SPREADSHEET_DRESS = re.compile(r"""^=?\s*["'`’‘“”„«»]*(.*?)["'`’‘“”„«»]*$""", re.DOTALL)
"""What spreadsheet programs put around a number: Excel's `="201…"`, or the apostrophe that marks a text."""
_LINK = re.compile(
    r"^(?:tel:(?://)?|whatsapp:(?!//)|(?:https?://)?(?:www\.)?wa\.me/"
    r"|(?:https?://(?:api\.|web\.|www\.)?whatsapp\.com/send/?|whatsapp://send/?)\?(?:.*&)?phone=)",
    re.IGNORECASE,
)
"""What a link to a number begins with."""
_LINK_END = re.compile(r"[/?&#].*$", re.DOTALL)
_DECIMAL_ZEROS = re.compile(r"^(\+?\d{5,})[.,٫]0+$")
"""A number that was stored as a decimal number, such as `201001234567.0`."""
_THOUSANDS = re.compile(r"^(\+?\d{1,3}(?:[,٬]\d{3}){2,})(?:[.٫]0+)?$|^(\+?\d{1,3}(?:\.\d{3}){2,}),0+$")
"""A number that is shown with a separator of thousands, such as `201,001,234,567.00`."""
_FRACTION = re.compile(r"^\+?\d{9,}[.,٫]\d{1,3}$")
_SCIENTIFIC = re.compile(r"^\+?\d+(?:[.,٫]\d+)?e\s*\+?\d+$", re.IGNORECASE)
_DATE = re.compile(
    r"^(?:(?P<year>(?:19|20)\d\d)\s?[-/.]\s?(?P<second>\d{1,2})\s?[-/.]\s?(?P<third>\d{1,2})\.?"
    r"|(?P<day>\d{1,2})\s?[-/.]\s?(?P<month>\d{1,2})\s?[-/.]\s?(?:19|20)\d\d)(?:[ t]\d{1,2}:\d{2}.*)?$",
    re.IGNORECASE,
)
_SEVERAL = re.compile(r"[/;,|\\&،؛]+|\s[-–—]+\s|\s(?:or|and|y|e|o|ou|et|und|oder|و|أو|او)\s", re.IGNORECASE)
_SHORT_SECOND = re.compile(r"\d{5,}\s*[/\\]\s*\d{1,4}$")
"""A second number of which only the last digits are written, such as `201001234567/68`."""
_NOTE = re.compile(r"\d{5,}\s*\(\s*\d{1,3}\s*\)$|^\d{1,3}\s*[.)]\s+\+?\d{7,}")
"""A short number in brackets after the phone number, or the number of a list item before the phone number."""
_TRUNK_ZERO = re.compile(r"^([+(]*\d[\d\s().-]*?)\(0\)")
"""The zero in `+44 (0)20 …`, which is dialled only inside the country."""
_PUNCTUATION = re.compile(r"[\s()./·\-‐‑‒–—−]")
_INVISIBLE = frozenset({"Cf", "Cc", "Mn", "Me"})
"""The Unicode categories of characters that show nothing by themselves."""
_LINE_BREAKS = "\r\n\v\f\x85\u2028\u2029"
_PLUS = re.compile(r"^\++(?:00)?|^00\++")


@dataclass(frozen=True, slots=True)
class NoNumber:
    """Why a cell has no phone number that can be dialled."""

    reason: str


def read_number(cell: str, country: str | None = None) -> str | NoNumber:
    """The digits of the phone number in a cell, with the country code.

    `country`: the ISO 3166 code of the country whose national form is expected if a number has no country code. None:
    each number is read as an international one.
    """
    if cell.isascii() and cell.isdecimal():  # so that most numbers take no time
        return _dialled(complete(cell, country).removeprefix("00"))
    if len(cell.strip()) > CHARACTERS_MAX:
        return NoNumber(f"it has more than {CHARACTERS_MAX} characters")
    text = _plain(cell)
    reason = _other_meaning(text)
    if reason is not None:
        return NoNumber(reason)
    dialled = _PUNCTUATION.sub("", _TRUNK_ZERO.sub(r"\1", _DECIMAL_ZEROS.sub(r"\1", _without_thousands(text))))
    digits = _PLUS.sub("", dialled)
    if not digits.isdecimal():
        return NoNumber("it has letters or signs: a phone number is digits" if digits else "it is empty")
    if digits == dialled:
        digits = complete(digits, country).removeprefix("00")
    return _dialled(digits)


def count_digits(text: str) -> int:
    return sum(character.isdecimal() for character in text)


def _dialled(digits: str) -> str | NoNumber:
    if digits.startswith("0"):
        return NoNumber("it begins with 0: write it with the country's code")
    if not RECIPIENT_DIGITS_MIN <= len(digits) <= RECIPIENT_DIGITS_MAX:
        between = f"{RECIPIENT_DIGITS_MIN} to {RECIPIENT_DIGITS_MAX}"
        return NoNumber(f"it has {len(digits)} digits: a phone number has {between}")
    return without_trunk_zero(digits)


def _other_meaning(text: str) -> str | None:
    """Why a text with digits is something else than one phone number. None: it may be a phone number."""
    if _is_date(text):
        return "it is a date"
    if _SCIENTIFIC.match(text):
        return "the spreadsheet has rounded it: format the column as text, and enter the number again"
    if _FRACTION.match(text) and not _DECIMAL_ZEROS.match(text):
        return "it is a decimal number: format the column as text, and enter the number again"
    numbers = sum(count_digits(part) >= RECIPIENT_DIGITS_MIN for part in _SEVERAL.split(text))
    if numbers > 1 or _SHORT_SECOND.search(text):
        return SEVERAL
    return "it has a second number in it: leave only the phone number" if _NOTE.search(text) else None


def _is_date(text: str) -> bool:
    match = _DATE.match(text)
    if match is None:
        return False
    one, other = sorted(int(match[name]) for name in (("second", "third") if match["year"] else ("day", "month")))
    return 1 <= one <= 12 and other <= 31


def _plain(cell: str) -> str:
    """The cell with ASCII digits, and without invisible characters, links and the dress of spreadsheet programs."""
    shown = (_ascii(character) for character in cell)
    visible = "".join(character for character in shown if unicodedata.category(character) not in _INVISIBLE)
    match = _SPREADSHEET_DRESS.match(visible.strip(" ;,،؛"))
    assert match is not None, "the pattern fits every text"
    text = match[1].strip()
    link = _LINK.match(text)
    if link is not None:
        text = unquote(text[link.end() :])
        text = text if link[0].casefold().startswith("tel:") else _LINK_END.sub("", text)
    # In Arabic text, a + that is typed before the number may be stored after it.
    is_mirrored = text.endswith("+") and not text.startswith("+")
    return "+" + text[:-1].strip() if is_mirrored else text


def _without_thousands(text: str) -> str:
    match = _THOUSANDS.match(text)
    return text if match is None else re.sub(r"[.,٬]", "", match[1] or match[2])


def _ascii(character: str) -> str:
    """One character in ASCII, if it has a form there. A digit of any script becomes an ASCII digit, any space a blank,
    and a line break a semicolon. A sign of full width becomes the usual sign."""
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    if character.isspace():
        return ";" if character in _LINE_BREAKS else " "
    return chr(ord(character) - 0xFEE0) if "\uff01" <= character <= "\uff5e" else character
