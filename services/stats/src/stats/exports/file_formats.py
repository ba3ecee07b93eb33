"""File formats: write rows as CSV, XLSX or Parquet in pieces, so that a year of rows needs little memory."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from stats.exports.byte_sink import ByteSink
from stats.exports.cells import Columns, plain
from stats.exports.xlsx import XlsxWriter

Rows = Sequence[Mapping[str, Any]]
Format = Literal["csv", "xlsx", "parquet"]

MEDIA_TYPES: Mapping[Format, str] = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
}


class FileWriter(Protocol):
    def add(self, rows: Rows) -> bytes:
        """Add rows. Returns the bytes of the file that are ready."""
        ...

    def end(self) -> bytes:
        """The rest of the file. Call it once, after the last rows."""
        ...

    def close(self) -> None:
        """Call it when the file is complete, or when it will not be completed."""
        ...


def file_writer(form: Format, columns: Columns) -> FileWriter:
    match form:
        case "csv":
            return _Csv(columns)
        case "xlsx":
            return XlsxWriter(columns)
        case "parquet":
            return _Parquet(columns)


class _Csv:
    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._text = io.StringIO()
        self._writer = csv.writer(self._text)
        self._writer.writerow(columns)

    def add(self, rows: Rows) -> bytes:
        for row in rows:
            self._writer.writerow([plain(row.get(name)) for name in self._columns])
        ready = self._text.getvalue().encode()
        self._text.seek(0)
        self._text.truncate()
        return ready

    def end(self) -> bytes:
        return self.add(())

    def close(self) -> None:
        self._text.close()


class _Parquet:
    """Each page of rows is a row group, which is ready as soon as it is written."""

    def __init__(self, columns: Columns) -> None:
        import pyarrow as arrow  # imported here, because few processes ever write a Parquet file
        from pyarrow import parquet

        types = {
            "text": arrow.string(),
            "moment": arrow.timestamp("us", tz="UTC"),
            "count": arrow.int64(),
            "share": arrow.float64(),
        }
        self._schema = arrow.schema([(name, types[column_type]) for name, column_type in columns.items()])
        self._sink = ByteSink()
        self._table = arrow.Table.from_pylist
        self._writer = parquet.ParquetWriter(arrow.PythonFile(self._sink, "w"), self._schema)

    def add(self, rows: Rows) -> bytes:
        if rows:
            self._writer.write_table(self._table([dict(row) for row in rows], schema=self._schema))
        return self._sink.take()

    def end(self) -> bytes:
        self._writer.close()
        return self._sink.take()

    def close(self) -> None:
        self._writer.close()
