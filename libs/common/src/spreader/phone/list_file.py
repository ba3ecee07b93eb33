"""List file: a CSV or XLSX file with people's phone numbers, read row by row, because it may be large.

The bytes of the file show its format, whatever its name is. Excel writes text as UTF-16, and in Arabic offices as
Windows-1256.
"""

import codecs
import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import BoundedSemaphore
from typing import TextIO
from zipfile import BadZipFile, ZipFile

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from spreader.phone.number_column import SAMPLE_ROWS, text_format
from spreader.phone.text_rows import LINE_CHARACTERS_MAX, FileRow, LineTooLong, text_rows

SHEET_BYTES_MAX = 512 * 2**20
"""The most bytes that a sheet of an XLSX file may have after unpacking. A sheet is read row by row."""
PART_BYTES_MAX = 64 * 2**20
"""The most bytes that any other part of an XLSX file may have after unpacking. Such a part is read into memory as a
whole."""
WORKBOOKS_MAX = 2
"""How many XLSX files are read at the same time."""
HEAD_BYTES = 64 * 1024
_DECODED_BYTES = 1024 * 1024

ZIP = b"PK\x03\x04"
"""What an XLSX file begins with."""
_OLE, _PDF = b"\xd0\xcf\x11\xe0", b"%PDF"
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DAMAGED = (
    *(InvalidFileException, BadZipFile, zlib.error, EOFError, OSError, RuntimeError),
    *(SyntaxError, ValueError, LookupError, TypeError, AttributeError),
)
"""What openpyxl and the decoders raise for a damaged file."""
_workbooks = BoundedSemaphore(WORKBOOKS_MAX)


class UnreadableFile(Exception):
    """The file cannot be read. The message explains why, and what the user can do."""


@dataclass(frozen=True, slots=True)
class ListFile:
    """A file on disk. Reading blocks, so it belongs in a thread."""

    path: Path

    def rows(self) -> Generator[FileRow]:
        """Yields each row, even an empty one. A first line that only names the separator is not a row. Raises
        `UnreadableFile`."""
        with self.path.open("rb") as raw:
            head = raw.read(HEAD_BYTES)
        try:
            yield from self._workbook_rows() if head.startswith(ZIP) else self._text_rows(head)
        except LineTooLong as error:
            words = f"Line {error.line} is longer than {LINE_CHARACTERS_MAX} characters. Put each row on a line."
            raise UnreadableFile(words) from None
        except _DAMAGED:
            words = "This is no spreadsheet that can be read: save it as .xlsx or .csv and try again."
            raise UnreadableFile(words) from None

    def first_rows(self) -> list[list[str]]:
        """The cells of the first rows, from which the column with the phone numbers is chosen."""
        return [list(row.cells) for row in islice(self.rows(), SAMPLE_ROWS)]

    def _text_rows(self, head: bytes) -> Iterator[FileRow]:
        encoding = self._encoding(head)
        size = self.path.stat().st_size or 1
        errors = "replace" if encoding == "utf-8" else "strict"
        with self.path.open(encoding=encoding, errors=errors) as text:
            form = text_format(list(islice(_lines(text), SAMPLE_ROWS)))
        with self.path.open(encoding=encoding, errors=errors) as text:
            lines, read = _lines(text), 0
            for _ in islice(lines, form.skipped):
                pass
            for row in text_rows(lines, form.separator, 1 + form.skipped):
                read += sum(map(len, row.cells)) + len(row.cells)
                yield FileRow(row.line, row.cells, min(read / size, 0.99))

    def _encoding(self, head: bytes) -> str:
        """Raises `UnreadableFile` if the file is no text."""
        if head.startswith((_OLE, _PDF)):
            raise UnreadableFile("This is neither a CSV nor an XLSX file: save the list as one of them.")
        for mark, encoding in _BYTE_ORDER_MARKS:
            if head.startswith(mark):
                return encoding
        zeros = head.count(0)
        if zeros > len(head) / 4 and b"\0\0" not in head:
            return "utf-16-le" if head[1:2] == b"\0" else "utf-16-be"
        if zeros:
            raise UnreadableFile("This is no text: save the list as CSV or XLSX.")
        return "utf-8" if self._is_utf_8() else "cp1256"

    def _is_utf_8(self) -> bool:
        """Whether most characters beyond ASCII are valid UTF-8. A few damaged characters do not change the result."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        damaged = others = 0
        with self.path.open("rb") as raw:
            while chunk := raw.read(_DECODED_BYTES):
                if chunk.isascii():
                    continue
                text = decoder.decode(chunk)
                wrong = text.count("\ufffd")
                damaged += wrong
                others += len(text) - wrong - len(text.encode("ascii", "ignore"))
        return damaged <= others

    def _workbook_rows(self) -> Iterator[FileRow]:
        _check_unpacked_size(self.path)
        with _workbooks, self.path.open("rb") as file:  # with the path instead, openpyxl would look at the name
            book = load_workbook(file, read_only=True, data_only=True)
            try:
                sheet = next((each for each in book.worksheets if each.sheet_state == "visible"), book.worksheets[0])
                rows = sheet.max_row or 0
                sheet.reset_dimensions()  # some programs write a wrong size, and the rows beyond it would be left out
                for line, row in enumerate(sheet.iter_rows(values_only=True), 1):
                    share = min(line / rows, 0.99) if rows else 0.0
                    yield FileRow(line, ["" if cell is None else str(cell) for cell in row], share)
            finally:
                book.close()


def _lines(text: TextIO) -> Iterator[str]:
    """The lines without their ends. A line that is too long is cut, but only so far that `text_rows` still recognises
    it as too long."""
    while line := text.readline(LINE_CHARACTERS_MAX + 2):
        yield line.removesuffix("\n")


def _check_unpacked_size(path: Path) -> None:
    """Raise `UnreadableFile` if the file would unpack to too much. Only the list of its parts is read for this."""
    with ZipFile(path) as book:
        for part in book.infolist():
            largest = SHEET_BYTES_MAX if part.filename.startswith("xl/worksheets/") else PART_BYTES_MAX
            if part.file_size > largest:
                size = part.file_size // 2**20
                raise UnreadableFile(f"The file unpacks to {size} MB: save the list as CSV, or cut it into several.")
