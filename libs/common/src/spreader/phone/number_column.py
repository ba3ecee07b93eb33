"""Number column: finds which column of a list has the phone numbers, by its name and by its contents."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from spreader.phone.dressed_number import NoNumber, read_number

SAMPLE_ROWS = 20
"""How many rows from the beginning of a list are enough to find the column."""
_LONG_DIGITS = 10
"""A number of this length or more, or with a +, is hardly an id."""

_WORDS = re.compile(r"[^\W\d_]+")
_NAMES: tuple[tuple[float, frozenset[str]], ...] = (
    (4, frozenset({"whatsapp", "wa", "واتساب", "واتس", "wsp", "zap"})),
    (
        3,
        frozenset(
            {
                "mobile",
                "cell",
                "cellphone",
                "cellular",
                "msisdn",
                "recipient",
                "جوال",
                "الجوال",
                "موبايل",
                "الموبايل",
                "محمول",
                "المحمول",
                "móvil",
                "movil",
                "celular",
                "handy",
                "portable",
                "gsm",
                "hp",
            }
        ),
    ),
    (
        2,
        frozenset(
            {
                "phone",
                "telephone",
                "tel",
                "contact",
                "هاتف",
                "الهاتف",
                "تليفون",
                "التليفون",
                "تلفون",
                "teléfono",
                "telefono",
                "telefone",
                "telefon",
                "téléphone",
                "phonenumber",
            }
        ),
    ),
    (1, frozenset({"number", "no", "nr", "num", "رقم", "الرقم", "número", "numero", "numéro"})),
)
_OTHER_NAMES = frozenset(
    {
        "id",
        "order",
        "record",
        "date",
        "zip",
        "postcode",
        "postal",
        "invoice",
        "account",
        "amount",
        "price",
        "total",
        "created",
        "updated",
        "birth",
        "birthday",
        "age",
        "سعر",
        "تاريخ",
        "كود",
        "fecha",
        "data",
        "pedido",
    }
)
_LANDLINE_NAMES = frozenset({"home", "work", "office", "landline", "fax", "منزل", "المنزل", "fijo", "casa"})


@dataclass(frozen=True, slots=True)
class ListLayout:
    """Where a list has its phone numbers.

    `header`: the names of the columns; None if the list has none. `first_row`: the index of the first row after title,
    blank lines and header. `is_sure`: whether no other column could be meant.
    """

    header: Sequence[str] | None
    first_row: int
    column: int
    is_sure: bool


def find_layout(rows: Sequence[Sequence[str]]) -> ListLayout:
    """The layout of a list, by its first rows (`SAMPLE_ROWS` are enough)."""
    first_row = next((index for index, row in enumerate(rows) if any(map(_is_number, row))), None)
    if first_row is None:  # no row has a number: only the names of the columns help
        named = next((index for index, row in enumerate(rows) if any(_name_weight(cell) for cell in row)), None)
        header = None if named is None else rows[named]
        first_row = 0 if named is None else named + 1
    else:
        before = [row for row in rows[:first_row] if any(cell.strip() for cell in row)]
        header = before[-1] if before else None
    sample = rows[first_row:]
    width = max((len(row) for row in (*sample, header or ())), default=0)
    scores = [(_score(_cell(header or (), column), [_cell(row, column) for row in sample])) for column in range(width)]
    if not scores:
        return ListLayout(header, first_row, 0, False)
    column = max(range(width), key=lambda index: (scores[index], -index))
    others = [score for index, score in enumerate(scores) if index != column]
    is_sure = not others or (scores[column] >= 1 and scores[column] - max(others) >= 1)
    return ListLayout(header, first_row, column, is_sure)


def _score(name: str, cells: Sequence[str]) -> float:
    """How likely a column has the phone numbers of the recipients: at most 0 if it has none, and up to 6."""
    filled = [cell for cell in cells if cell.strip()]
    numbers = [cell for cell in filled if _is_number(cell)]
    share = len(numbers) / len(filled) if filled else 0.0
    if filled and share < 0.3:
        return -1 + share
    named, words = _name_weight(name), _words(name)
    if words & _OTHER_NAMES and named < 3:
        return 0.0
    named -= 1.5 if words & _LANDLINE_NAMES else 0.0
    dialled = [cell for cell in numbers if cell.strip().startswith("+") or len(str(read_number(cell))) >= _LONG_DIGITS]
    return named + share + (1 if filled and len(dialled) >= len(filled) / 2 else 0)


def _name_weight(name: str) -> float:
    return next((weight for weight, names in _NAMES if _words(name) & names), 0.0)


def _words(name: str) -> set[str]:
    return {unicodedata.normalize("NFC", word.casefold()) for word in _WORDS.findall(name)}


def _is_number(cell: str) -> bool:
    return not isinstance(read_number(cell), NoNumber)


def _cell(row: Sequence[str], column: int) -> str:
    return row[column] if column < len(row) else ""
