"""File formats: write rows as CSV, XLSX or Parquet in pieces, so that a year of rows needs little memory."""

import csv
import io
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

ColumnType = Literal["text", "moment", "count", "share"]
Columns = Mapping[str, ColumnType]
Rows = Sequence[Mapping[str, Any]]
Format = Literal["csv", "xlsx", "parquet"]

MEDIA_TYPES: Mapping[Format, str] = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
}
FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""The characters that begin a formula in a spreadsheet."""
SHEET_ROWS_MAX = 1_048_575
"""The most rows of one XLSX sheet, without its header. Further rows go to another sheet."""
PIECE_BYTES = 256 * 1024
SPOOLED_BYTES = 4 * 1024 * 1024


class FileWriter(Protocol):
    def add(self, rows: Rows) -> bytes:
        """Add rows; returns the bytes that are ready."""
        ...

    def end(self) -> Iterator[bytes]:
        """The rest of the file. Call it once, after the last rows."""
        ...


def file_writer(form: Format, columns: Columns) -> FileWriter:
    match form:
        case "csv":
            return _Csv(columns)
        case "xlsx":
            return _Xlsx(columns)
        case "parquet":
            return _Parquet(columns)


def escape_formula(text: str) -> str:
    """The text, with a leading apostrophe if a spreadsheet would run it as a formula."""
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
    """An XLSX file is a zip archive with its directory at the end, so it is written to disk and sent when complete."""

    def __init__(self, columns: Columns) -> None:
        import xlsxwriter  # imported here, because few processes ever write an XLSX file

        self._columns = columns
        self._file = tempfile.SpooledTemporaryFile(max_size=SPOOLED_BYTES)  # noqa: SIM115 - `end` closes it
        self._book = xlsxwriter.Workbook(self._file, {"constant_memory": True, "remove_timezone": True})
        self._time_format = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._begin_sheet()

    def add(self, rows: Rows) -> bytes:
        for row in rows:
            if self._row > SHEET_ROWS_MAX:
                self._begin_sheet()
            for index, name in enumerate(self._columns):
                self._write(index, row.get(name))
            self._row += 1
        return b""

    def end(self) -> Iterator[bytes]:
        self._book.close()
        self._file.seek(0)
        while piece := self._file.read(PIECE_BYTES):
            yield piece
        self._file.close()

    def _begin_sheet(self) -> None:
        self._sheet = self._book.add_worksheet()
        for index, name in enumerate(self._columns):
            self._sheet.write_string(0, index, name)
        self._row = 1

    def _write(self, index: int, value: Any) -> None:
        if isinstance(value, datetime):
            self._sheet.write_datetime(self._row, index, value.astimezone(UTC), self._time_format)
        elif isinstance(value, int | float):
            self._sheet.write_number(self._row, index, value)
        elif value is not None:
            self._sheet.write_string(self._row, index, escape_formula(str(value)))


class _Parquet:
    """Each batch of rows is a row group, which is ready as soon as it is written."""

    def __init__(self, columns: Columns) -> None:
        import pyarrow as arrow
        from pyarrow import parquet

        types = {
            "text": arrow.string(),
            "moment": arrow.timestamp("us", tz="UTC"),
            "count": arrow.int64(),
            "share": arrow.float64(),
        }
        self._schema = arrow.schema([(name, types[column_type]) for name, column_type in columns.items()])
        self._sink = _Sink()
        self._table = arrow.Table.from_pylist
        self._writer = parquet.ParquetWriter(arrow.PythonFile(self._sink, "w"), self._schema)

    def add(self, rows: Rows) -> bytes:
        if rows:
            self._writer.write_table(self._table([dict(row) for row in rows], schema=self._schema))
        return self._sink.take()

    def end(self) -> Iterator[bytes]:
        self._writer.close()
        yield self._sink.take()


class _Sink(io.RawIOBase):
    """A write-only file. `take` returns the bytes that were written, and removes them."""

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

    def take(self) -> bytes:
        ready, self._pieces = b"".join(self._pieces), []
        return ready


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return escape_formula(value) if isinstance(value, str) else value
