"""Sheet: rows as a file of some format, made a piece at a time: a year of rows needs no more memory than a page."""

import csv
import io
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

Kind = Literal["text", "moment", "count", "share"]
Columns = Mapping[str, Kind]
Rows = Sequence[Mapping[str, Any]]
Format = Literal["csv", "xlsx", "parquet"]

MEDIA_TYPES: Mapping[Format, str] = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
}
FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""
SHEET_ROWS_MAX = 1_048_575
"""Of one XLSX sheet, beside its headings; then another sheet begins."""
PIECE_BYTES = 256 * 1024
SPOOLED_BYTES = 4 * 1024 * 1024


class FileWriter(Protocol):
    """Give it rows; what comes back are the bytes that are ready. `end` once, after the last."""

    def add(self, rows: Rows) -> bytes: ...
    def end(self) -> Iterator[bytes]: ...


def file_writer(form: Format, columns: Columns) -> FileWriter:
    match form:
        case "csv":
            return _Csv(columns)
        case "xlsx":
            return _Xlsx(columns)
        case "parquet":
            return _Parquet(columns)


def escape_formula(text: str) -> str:
    """Text that no spreadsheet runs."""
    return f"'{text}" if text.startswith(FORMULAS) else text


class _Csv:
    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._text = io.StringIO()
        self._writer = csv.writer(self._text)
        self._writer.writerow(columns)

    def add(self, rows: Rows) -> bytes:
        for row in rows:
            self._writer.writerow([_plain(row.get(name)) for name in self._columns])
        ready = self._text.getvalue().encode()
        self._text.seek(0)
        self._text.truncate()
        return ready

    def end(self) -> Iterator[bytes]:
        yield self.add(())


class _Xlsx:
    """The file is a zip, whose directory comes last: it grows on disk, and is sent when it is whole."""

    def __init__(self, columns: Columns) -> None:
        import xlsxwriter  # here: few processes ever write one

        self._columns = columns
        self._file = tempfile.SpooledTemporaryFile(max_size=SPOOLED_BYTES)  # noqa: SIM115 - `end` closes it
        self._book = xlsxwriter.Workbook(self._file, {"constant_memory": True, "remove_timezone": True})
        self._moment = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._begin()

    def add(self, rows: Rows) -> bytes:
        for row in rows:
            if self._row > SHEET_ROWS_MAX:
                self._begin()
            for place, name in enumerate(self._columns):
                self._write(place, row.get(name))
            self._row += 1
        return b""

    def end(self) -> Iterator[bytes]:
        self._book.close()
        self._file.seek(0)
        while piece := self._file.read(PIECE_BYTES):
            yield piece
        self._file.close()

    def _begin(self) -> None:
        self._sheet = self._book.add_worksheet()
        for place, name in enumerate(self._columns):
            self._sheet.write_string(0, place, name)
        self._row = 1

    def _write(self, place: int, value: Any) -> None:
        if isinstance(value, datetime):
            self._sheet.write_datetime(self._row, place, value.astimezone(UTC), self._moment)
        elif isinstance(value, int | float):
            self._sheet.write_number(self._row, place, value)
        elif value is not None:
            self._sheet.write_string(self._row, place, escape_formula(str(value)))


class _Parquet:
    """Each batch of rows is a group of its own, ready as soon as it is written."""

    def __init__(self, columns: Columns) -> None:
        import pyarrow as arrow
        from pyarrow import parquet

        types = {
            "text": arrow.string(), "moment": arrow.timestamp("us", tz="UTC"), "count": arrow.int64(),
            "share": arrow.float64(),
        }  # fmt: skip
        self._schema = arrow.schema([(name, types[kind]) for name, kind in columns.items()])
        self._sink = _Sink()
        self._table = arrow.Table.from_pylist
        self._writer = parquet.ParquetWriter(arrow.PythonFile(self._sink, "w"), self._schema)

    def add(self, rows: Rows) -> bytes:
        if rows:
            self._writer.write_table(self._table([dict(row) for row in rows], schema=self._schema))
        return self._sink.taken()

    def end(self) -> Iterator[bytes]:
        self._writer.close()
        yield self._sink.taken()


class _Sink(io.RawIOBase):
    """A file that only grows, whose beginning is taken away."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._length = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        self._length += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._length

    def taken(self) -> bytes:
        ready, self._pieces = b"".join(self._pieces), []
        return ready


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return escape_formula(value) if isinstance(value, str) else value
