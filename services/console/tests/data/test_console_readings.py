"""Readings of a column: each has its own file, a stopped one leaves nothing, and a list is used only when complete."""

import threading
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from openpyxl import Workbook

from console.data.spreadsheets import ColumnReading, Spreadsheet, UnreadableFile, open_spreadsheet
from spreader.phone import list_file
from spreader.phone.text_rows import FileRow

ROWS = [["2010000000" + str(10 + row), "4915100000" + str(10 + row)] for row in range(20)]


def sheet_in(folder: Path) -> Spreadsheet:
    path = folder / "upload"
    path.write_text("first,second\n" + "".join(",".join(row) + "\n" for row in ROWS))
    return open_spreadsheet("list.csv", path)


class Halting:
    """Lets a reading stop in the middle of its rows, as a large file would."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.go_on = threading.Event(), threading.Event()
        rows = Spreadsheet.rows

        def halting(sheet: Spreadsheet) -> Iterator[FileRow]:
            for number, row in enumerate(rows(sheet)):
                if number == 10:
                    self.reached.set()
                    assert self.go_on.wait(30)
                yield row

        monkeypatch.setattr(Spreadsheet, "rows", halting)


def test_nothing_can_be_taken_from_a_reading_before_it_is_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheet, halting = sheet_in(tmp_path), Halting(monkeypatch)
    reading = ColumnReading(sheet, 0)
    thread = threading.Thread(target=reading.run)
    thread.start()
    assert halting.reached.wait(30)
    assert not reading.is_complete
    with pytest.raises(AssertionError):
        next(reading.batches(5))
    halting.go_on.set()
    thread.join(30)
    assert list(reading.batches(100)) == [[row[0] for row in ROWS]]


def test_two_readings_of_one_file_do_not_mix_their_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator changes the column while the first reading is in progress."""
    sheet, halting = sheet_in(tmp_path), Halting(monkeypatch)
    first, second = ColumnReading(sheet, 0), ColumnReading(sheet, 1)
    threads = [threading.Thread(target=reading.run) for reading in (first, second)]
    threads[0].start()
    assert halting.reached.wait(30)
    first.stop()
    threads[1].start()
    halting.go_on.set()
    for thread in threads:
        thread.join(30)
    assert (first.is_complete, second.is_complete) == (False, True)
    assert list(second.batches(100)) == [[row[1] for row in ROWS]]
    second.stop()
    sheet.delete()
    assert list(tmp_path.iterdir()) == [], "a stopped reading leaves no file"


def test_a_workbook_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def must_not_run(*_: object, **__: object) -> None:
        raise AssertionError("the file is being unpacked")

    monkeypatch.setattr(list_file, "load_workbook", must_not_run)
    for part, size in (("xl/worksheets/sheet1.xml", 513), ("xl/sharedStrings.xml", 65)):
        path = tmp_path / "upload"
        with ZipFile(path, "w", ZIP_DEFLATED) as book, book.open(part, "w") as out:
            for _ in range(size):
                out.write(bytes(2**20))
        assert path.stat().st_size < 2**20
        sheet = open_spreadsheet("list.xlsx", path)
        with pytest.raises(UnreadableFile, match=f"unpacks to {size} MB"):
            sheet.first_rows()
        sheet.delete()


def test_few_workbooks_are_read_at_the_same_time(tmp_path: Path) -> None:
    sheets = list[Spreadsheet]()
    for number in range(list_file.WORKBOOKS_MAX + 1):
        path = tmp_path / f"upload{number}"
        book = Workbook()
        book.worksheets[0].append(["201001234567"])
        book.save(path)
        sheets.append(open_spreadsheet("list.xlsx", path))
    readings = [sheet.rows() for sheet in sheets]
    for reading in readings[:-1]:
        next(reading)
    waiting = threading.Thread(target=lambda: list(readings[-1]))
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive()
    assert list(readings[0]) == []
    waiting.join(30)
    assert not waiting.is_alive()
