"""XLSX: a spreadsheet program reads what was written, and no file is left anywhere."""

import io
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from openpyxl.utils.escape import unescape

from stats.exports import xlsx
from stats.exports.cells import Columns
from stats.exports.xlsx import XlsxWriter

COLUMNS: Columns = {"at": "moment", "name": "text", "count": "count", "rate": "share"}
NOON = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)


def written(rows: Sequence[dict[str, Any]], page: int = 2) -> list[list[tuple[Any, ...]]]:
    """The rows of each sheet, as another program reads them."""
    writer = XlsxWriter(COLUMNS)
    pieces = [writer.add(rows[start : start + page]) for start in range(0, len(rows), page)]
    book = load_workbook(io.BytesIO(b"".join(pieces) + writer.end()))
    return [[tuple(_value(cell) for cell in row) for row in sheet.iter_rows()] for sheet in book.worksheets]


def _value(cell: Any) -> Any:
    """What a spreadsheet shows: openpyxl leaves escaped characters of such a cell as they are."""
    return unescape(cell.value) if isinstance(cell.value, str) else cell.value


def test_each_value_is_read_as_what_it_was() -> None:
    rows = [
        {"at": NOON, "name": "Zoë & <Omar>", "count": 3, "rate": 0.25},
        {"at": NOON.astimezone(timezone(timedelta(hours=3))), "name": None, "count": 0, "rate": None},
        {"name": "  two\nlines  "},
    ]
    assert written(rows) == [
        [
            ("at", "name", "count", "rate"),
            (NOON.replace(tzinfo=None), "Zoë & <Omar>", 3, 0.25),
            (NOON.replace(tzinfo=None), None, 0, None),
            (None, "  two\nlines  ", None, None),
        ]
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("bell\x07 and\rreturn", "bell\x07 and\rreturn"),
        ("_x0041_", "_x0041_"),
        ("\ufffe", "\ufffe"),
        ("x" * 40_000, "x" * 32_767),
    ],
)
def test_no_text_breaks_the_file(text: str, shown: str) -> None:
    ((_, row),) = written([{"name": text}])
    assert row[1] == shown


def test_a_full_sheet_is_followed_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx, "SHEET_ROWS_MAX", 3)
    sheets = written([{"count": number} for number in range(5)])
    assert [[row[2] for row in sheet] for sheet in sheets] == [["count", 0, 1], ["count", 2, 3], ["count", 4]]


def test_a_sheet_ends_before_it_is_too_large_for_the_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx, "SHEET_BYTES_MAX", 400)
    assert len(written([{"name": "x" * 100} for _ in range(5)])) > 1


def test_pieces_are_ready_while_it_is_written_and_nothing_is_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    writer = XlsxWriter(COLUMNS)
    sizes = [len(writer.add([{"name": f"{number:x}" * 20} for number in range(page, page + 5_000)])) for page in (1, 2)]
    assert min(sizes) > 10_000
    assert list(tmp_path.iterdir()) == []
    writer.close()  # the client has gone
    assert list(tmp_path.iterdir()) == []
