"""Number column: finds which column of a list has the phone numbers, by the names and the contents of the columns."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from spreader.phone.dressed_number import NoNumber, count_digits, read_number

SAMPLE_ROWS = 20
"""How many rows from the beginning of a list are enough to find the column."""
_DATA_DIGITS = 5
"""A cell with this number of digits or more is not the name of a column."""
_LONG_DIGITS = 10
"""A number with this many digits or more, or with a +, is hardly an id."""

_SEPARATORS = ",;\t|"
_SEPARATOR_LINE = "sep="
"""A first line such as `sep=;` names the separator of the file for Excel."""
_WORDS = re.compile(r"[^\W\d_]+")


def _set_of(words: str) -> frozenset[str]:
    return frozenset(words.split())


_NAMES: tuple[tuple[float, frozenset[str]], ...] = (
    (4, _set_of("whatsapp wa واتساب واتس wsp zap")),
    (
        3,
        _set_of(
            "mobile cell cellphone cellular msisdn recipient handy portable gsm hp móvil movil celular "
            "جوال الجوال موبايل الموبايل محمول المحمول"
        ),
    ),
    (
        2,
        _set_of(
            "phone phonenumber telephone tel contact teléfono telefono telefone telefon téléphone "
            "هاتف الهاتف تليفون التليفون تلفون"
        ),
    ),
    (1, _set_of("number no nr num número numero numéro رقم الرقم")),
)
"""Words in the names of columns with phone numbers. The number before each set of words is their weight."""
_OTHER_NAMES = _set_of(
    "id order record date zip postcode postal invoice account amount price total created updated birth birthday age "
    "fecha data pedido سعر تاريخ كود"
)
_LANDLINE_NAMES = _set_of("home work office landline fax fijo casa منزل المنزل")
_PEOPLE_NAMES = _set_of(
    "name first last surname firstname lastname customer client email mail city address country "
    "nombre apellido nome sobrenome nom prénom cliente ciudad cidade ville stadt vorname nachname kunde "
    "الاسم اسم العميل المدينة العنوان البريد"
)
_ALL_NAMES = frozenset().union(*(names for _, names in _NAMES), _OTHER_NAMES, _LANDLINE_NAMES, _PEOPLE_NAMES)


@dataclass(frozen=True, slots=True)
class ListLayout:
    """Where a list has its phone numbers.

    `header`: the names of the columns. None: the list has no row with names. `first_row`: the index of the first row
    after title, blank lines and header. `is_sure`: whether no other column could be meant. `width`: how many columns
    the rows usually have.
    """

    header: Sequence[str] | None
    first_row: int
    column: int
    is_sure: bool
    width: int = 0

    def name_of(self, column: int) -> str:
        """The name of a column. Empty if it has none."""
        return _cell(self.header or (), column).strip()


@dataclass(frozen=True, slots=True)
class TextFormat:
    """The separator of a text file, and how many of its first lines only name the separator."""

    separator: str
    skipped: int = 0


def text_format(lines: Sequence[str]) -> TextFormat:
    """The format of a whole file, by its first lines."""
    first = lines[0].strip(' "\ufeff').casefold() if lines else ""
    if first.startswith(_SEPARATOR_LINE) and len(first) == len(_SEPARATOR_LINE) + 1:
        return TextFormat(first[-1], 1)
    text = "\n".join(lines)
    return TextFormat(max(_SEPARATORS, key=lambda each: (sum(each in line for line in lines), text.count(each))))


def sample_numbers(
    rows: Sequence[Sequence[str]], layout: ListLayout, at_most: int, country: str | None = None
) -> list[list[str]]:
    """For each column, its first numbers as they would be dialled. `country`: as in `read_number`."""
    width = max(map(len, rows), default=0)
    found = [[read_number(_cell(row, column), country) for row in rows[layout.first_row :]] for column in range(width)]
    return [[number for number in column if isinstance(number, str)][:at_most] for column in found]


def find_layout(rows: Sequence[Sequence[str]], country: str | None = None) -> ListLayout:
    """The layout of a list, by its first rows (`SAMPLE_ROWS` are enough). `country`: as in `read_number`."""
    first_number = next(
        (place for place, row in enumerate(rows) if any(_is_number(cell, country) for cell in row)), None
    )
    place = _header_place(rows[:first_number])
    header = None if place is None else rows[place]
    first_row = 0 if place is None else place + 1
    sample = rows[first_row:]
    width = max((len(row) for row in (*sample, header or ())), default=0)
    scores = [
        _score(_cell(header or (), column), [_cell(row, column) for row in sample], country) for column in range(width)
    ]
    if not scores:
        return ListLayout(header, first_row, 0, False)
    column = max(range(width), key=lambda index: (scores[index], -index))
    others = [score for index, score in enumerate(scores) if index != column]
    is_sure = not others or (scores[column] >= 1 and scores[column] - max(others) >= 1)
    lengths = Counter(len(row) for row in sample if row)
    usual = max(lengths, key=lambda length: (lengths[length], -length), default=0)
    return ListLayout(header, first_row, column, is_sure, max(usual, len(header or ())))


def _header_place(rows: Sequence[Sequence[str]]) -> int | None:
    """The index of the row with the names of the columns. Only the rows before the first phone number are given. None:
    no row has the names.

    The rows before this row are titles. The given rows after it are people without a valid number.
    """
    filled = {place: sum(1 for cell in row if cell.strip()) for place, row in enumerate(rows)}
    places = [place for place, count in filled.items() if count]
    named = [place for place in places if any(_words(cell) & _ALL_NAMES for cell in rows[place])]
    texts = [place for place in places if all(count_digits(cell) < _DATA_DIGITS for cell in rows[place])]
    return max(named or texts, key=lambda place: (filled[place], -place), default=None)


def _score(name: str, cells: Sequence[str], country: str | None) -> float:
    """How likely a column has the phone numbers of the recipients: at most 0 if it has none, and up to 6."""
    filled = [cell for cell in cells if cell.strip()]
    numbers = [cell for cell in filled if _is_number(cell, country)]
    share = len(numbers) / len(filled) if filled else 0.0
    if filled and share < 0.3:
        return -1 + share
    named, words = _name_weight(name), _words(name)
    if words & _OTHER_NAMES and named < 3:
        return 0.0
    named -= 1.5 if words & _LANDLINE_NAMES else 0.0
    dialled = [
        cell for cell in numbers if cell.strip().startswith("+") or len(str(read_number(cell, country))) >= _LONG_DIGITS
    ]
    return named + share + (1 if filled and len(dialled) >= len(filled) / 2 else 0)


def _name_weight(name: str) -> float:
    return next((weight for weight, names in _NAMES if _words(name) & names), 0.0)


def _words(name: str) -> set[str]:
    return {unicodedata.normalize("NFC", word.casefold()) for word in _WORDS.findall(name)}


def _is_number(cell: str, country: str | None) -> bool:
    return not isinstance(read_number(cell, country), NoNumber)


def _cell(row: Sequence[str], column: int) -> str:
    return row[column] if column < len(row) else ""
