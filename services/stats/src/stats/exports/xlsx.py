"""XLSX: writes a spreadsheet in pieces, without a temporary file.

An XLSX file is a zip archive of XML files (ECMA-376). The sheets come first. The files that name the sheets come last.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from string import ascii_uppercase
from typing import IO, Any
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile

from stats.exports.byte_sink import ByteSink
from stats.exports.cells import Columns, escape_formula

SHEET_ROWS_MAX = 1_048_576
"""The most rows of a sheet, its header included. Further rows go to another sheet."""
SHEET_BYTES_MAX = 1_500_000_000
"""A sheet ends before its XML has 2 GiB, because a larger file needs another kind of zip archive."""
CELL_CHARACTERS_MAX = 32_767
"""Excel refuses a file with a longer text in a cell."""
EPOCH = datetime(1899, 12, 30, tzinfo=UTC)
"""A spreadsheet stores a time as the number of days since this date."""

_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
"""Characters that XML cannot contain or would change, and a `_` that would begin an escaped character."""

_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_SHEET_START = f'{_XML}<worksheet xmlns="{_MAIN}"><sheetData>'
_SHEET_END = "</sheetData></worksheet>"
_TIME_STYLE = 1
_STYLES = f"""{_XML}<styleSheet xmlns="{_MAIN}">
<numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy-mm-dd hh:mm:ss"/></numFmts>
<fonts count="1"><font><sz val="11"/><name val="Calibri"/></font></fonts>
<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>
<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>
<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>
<cellXfs count="2"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>
<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs>
<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>"""


class XlsxWriter:
    """Writes at most 26 columns."""

    def __init__(self, columns: Columns) -> None:
        self._columns = list(columns)
        self._sink = ByteSink()
        self._zip = ZipFile(self._sink, "w", ZIP_DEFLATED)
        self._sheets = 0
        self._sheet = self._new_sheet()

    def add(self, rows: Sequence[Mapping[str, Any]]) -> bytes:
        for row in rows:
            if self._rows == SHEET_ROWS_MAX or self._bytes > SHEET_BYTES_MAX:
                self._end_sheet()
                self._sheet = self._new_sheet()
            self._write_row([row.get(name) for name in self._columns])
        return self._sink.take()

    def end(self) -> bytes:
        self._end_sheet()
        for name, content in _index(self._sheets).items():
            self._zip.writestr(name, content)
        self._zip.close()
        return self._sink.take()

    def close(self) -> None:
        self._sheet.close()
        self._zip.close()

    def _new_sheet(self) -> IO[bytes]:
        self._sheets += 1
        self._rows = self._bytes = 0
        self._sheet = self._zip.open(f"xl/worksheets/sheet{self._sheets}.xml", "w")
        self._write(_SHEET_START)
        self._write_row(self._columns)
        return self._sheet

    def _end_sheet(self) -> None:
        self._write(_SHEET_END)
        self._sheet.close()

    def _write_row(self, values: Sequence[Any]) -> None:
        self._rows += 1
        cells = "".join(
            _cell(f"{letter}{self._rows}", value)
            for letter, value in zip(ascii_uppercase, values, strict=False)
            if value is not None
        )
        self._write(f'<row r="{self._rows}">{cells}</row>')

    def _write(self, xml: str) -> None:
        self._bytes += self._sheet.write(xml.encode())


def _cell(place: str, value: Any) -> str:
    if isinstance(value, datetime):
        return f'<c r="{place}" s="{_TIME_STYLE}"><v>{(value - EPOCH).total_seconds() / 86_400!r}</v></c>'
    if isinstance(value, int | float):
        return f'<c r="{place}"><v>{value!r}</v></c>'
    text = _UNSAFE.sub(_escaped, escape_formula(str(value))[:CELL_CHARACTERS_MAX])
    return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(text)}</t></is></c>'


def _escaped(match: re.Match[str]) -> str:
    return f"_x{ord(match[0]):04X}_"


def _index(sheets: int) -> dict[str, str]:
    """The other files of the archive, by name. They say which sheets the archive has."""
    numbers = range(1, sheets + 1)
    named = "".join(f'<sheet name="Sheet{n}" sheetId="{n}" r:id="rId{n}"/>' for n in numbers)
    targets = {n: ("worksheet", f"worksheets/sheet{n}.xml") for n in numbers} | {sheets + 1: ("styles", "styles.xml")}
    relations = "".join(
        f'<Relationship Id="rId{n}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for n, (kind, target) in targets.items()
    )
    types = {"workbook.xml": "sheet.main"} | {target: kind for kind, target in targets.values()}
    parts = "".join(
        f'<Override PartName="/xl/{name}" ContentType="{_TYPE}.{kind}+xml"/>' for name, kind in types.items()
    )
    return {
        "xl/styles.xml": _STYLES,
        "xl/workbook.xml": (f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{named}</sheets></workbook>'),
        "xl/_rels/workbook.xml.rels": _relationships(relations),
        "_rels/.rels": _relationships(
            f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
        ),
        "[Content_Types].xml": (
            f'{_XML}<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
            f'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>{parts}</Types>'
        ),
    }


def _relationships(content: str) -> str:
    return f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{content}</Relationships>'
