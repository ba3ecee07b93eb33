"""List files: every way in which offices write a list is read, and what cannot be read says so."""

import contextlib
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from spreader.phone.list_file import ListFile, UnreadableFile
from spreader.phone.text_rows import LINE_CHARACTERS_MAX, FileRow, LineTooLong, text_rows

ONE, TWO, THREE = "201001234567", "201001234568", "201001234569"


def rows_of(folder: Path, content: bytes) -> list[tuple[int, list[str]]]:
    path = folder / "list"
    path.write_bytes(content)
    return [(row.line, list(row.cells)) for row in ListFile(path).rows()]


@pytest.mark.parametrize(
    ("text", "encoding", "expected"),
    [
        (f"الاسم;رقم الموبايل\r\nمنى;{ONE}\r\n", "cp1256", [(1, ["الاسم", "رقم الموبايل"]), (2, ["منى", ONE])]),
        (f"الاسم;رقم الموبايل\r\nمنى;{ONE}\r\n", "utf-8", [(1, ["الاسم", "رقم الموبايل"]), (2, ["منى", ONE])]),
        (f"Name\tMobile\r\nZoë\t{ONE}\r\n", "utf-16", [(1, ["Name", "Mobile"]), (2, ["Zoë", ONE])]),
        (f"Name\tMobile\r\nمنى\t{ONE}\r\n", "utf-16-le", [(1, ["Name", "Mobile"]), (2, ["منى", ONE])]),
        (f"Name\tMobile\r\nمنى\t{ONE}\r\n", "utf-16-be", [(1, ["Name", "Mobile"]), (2, ["منى", ONE])]),
        (f"Name,Mobile\rMona,{ONE}\r", "utf-8-sig", [(1, ["Name", "Mobile"]), (2, ["Mona", ONE])]),
        (f"sep=;\r\nName;Mobile\r\nMona, Omar;{ONE}", "utf-8", [(2, ["Name", "Mobile"]), (3, ["Mona, Omar", ONE])]),
        (f"sep=;\nName;Mobile\nMona;{ONE}", "utf-16", [(2, ["Name", "Mobile"]), (3, ["Mona", ONE])]),
        (f'\n"Mona\nOmar",{ONE}\nAli,{TWO}', "utf-8", [(1, []), (2, ["Mona\nOmar", ONE]), (4, ["Ali", TWO])]),
        (f"{ONE}|x\n{TWO}|y", "ascii", [(1, [ONE, "x"]), (2, [TWO, "y"])]),
        ("", "utf-8", []),
    ],
)
def test_a_text_file_is_read_as_offices_write_it(
    tmp_path: Path, text: str, encoding: str, expected: list[tuple[int, list[str]]]
) -> None:
    assert rows_of(tmp_path, text.encode(encoding)) == expected


def test_one_separator_is_chosen_for_the_whole_file(tmp_path: Path) -> None:
    content = f"Name;Mobile\nMona, Omar, and Ali;{ONE}\nSara;{TWO}\n".encode()
    assert [cells for _, cells in rows_of(tmp_path, content)][1:] == [["Mona, Omar, and Ali", ONE], ["Sara", TWO]]


def test_a_damaged_character_does_not_change_the_encoding(tmp_path: Path) -> None:
    content = "منى وعمر;٢٠١٠٠١٢٣٤٥٦٧\n".encode() + b"Zo\xeb;" + ONE.encode()
    assert [cells[1] for _, cells in rows_of(tmp_path, content)] == ["٢٠١٠٠١٢٣٤٥٦٧", ONE]


def test_an_encoding_that_shows_late_in_a_file_is_found(tmp_path: Path) -> None:
    content = f"Name;{ONE}\n".encode() * 20_000 + f"منى;{TWO}".encode("cp1256")
    assert rows_of(tmp_path, content)[-1] == (20_001, ["منى", TWO])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f'"Mona,{ONE}\nOmar,{TWO}\nAli",{THREE}', [1, 2, 3]),
        (f'"Mona,{ONE}\nOmar,{TWO}', [1, 2]),
        (f'5" pipe,{ONE}\n6" pipe,{TWO}', [1, 2]),
        (f'"12 Nile Street\nCairo",{ONE}\nx,{TWO}', [1, 3]),
        ('"' + "\n" * 50 + f'",{ONE}', list(range(1, 52))),
    ],
)
def test_a_stray_quotation_mark_swallows_no_people(text: str, expected: list[int]) -> None:
    assert [row.line for row in text_rows(text.split("\n"), ",")] == expected


@given(st.lists(st.text(alphabet='",;\n\r\x00 01a', max_size=20)))
def test_no_line_is_lost(lines: list[str]) -> None:
    found = list(text_rows(lines, ","))
    places = [row.line for row in found]
    assert places == sorted(set(places))
    assert not lines or places[0] == 1
    assert all(1 <= place <= len(lines) for place in places)


def test_a_line_that_is_too_long_is_refused() -> None:
    with pytest.raises(LineTooLong):
        list(text_rows(["x", "1" * (LINE_CHARACTERS_MAX + 1)], ","))


def workbook(path: Path, *rows: list[object]) -> None:
    book = Workbook()
    for row in rows:
        book.worksheets[0].append(row)
    book.save(path)


def test_a_workbook_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    workbook(path, ["Name", "Mobile"], ["Mona", int(ONE)], [], ["Omar", f"+{TWO}"], ["Ali", 2.01e11])
    rows = [(row.line, list(row.cells)) for row in ListFile(path).rows()]
    assert rows[1] == (2, ["Mona", ONE])
    assert rows[3] == (4, ["Omar", f"+{TWO}"])
    assert rows[4][1][1].startswith("201000000000")


def test_rows_beyond_the_declared_size_of_a_sheet_are_read(tmp_path: Path) -> None:
    """Some programs write a size of one cell."""
    whole, wrong = tmp_path / "whole.xlsx", tmp_path / "wrong.xlsx"
    workbook(whole, ["Name", "Mobile"], ["Mona", ONE], ["Omar", TWO])
    with zipfile.ZipFile(whole) as read, zipfile.ZipFile(wrong, "w") as written:
        for name in read.namelist():
            content = read.read(name)
            if name == "xl/worksheets/sheet1.xml":
                assert b'<dimension ref="A1:B3"' in content
                content = content.replace(b'<dimension ref="A1:B3"', b'<dimension ref="A1"')
            written.writestr(name, content)
    assert [list(row.cells) for row in ListFile(wrong).rows()][2] == ["Omar", TWO]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "neither a CSV nor an XLSX"),
        (b"%PDF-1.7 ...", "neither a CSV nor an XLSX"),
        (b"PK\x03\x04 no zip", "no spreadsheet"),
        (b"\x00\x00\x00\x01abc", "no text"),
        (b"\xff\xfe\x00", "no spreadsheet"),
        (b"1" * 20_000, "longer than 10000 characters"),
        (b"x\n" + b"1" * 20_000, "Line 2 is longer"),
    ],
)
def test_an_unreadable_file_says_what_to_do(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(UnreadableFile, match=words):
        rows_of(tmp_path, content)


@pytest.mark.parametrize("cut", [30, 200, 1_000, 4_000])
def test_a_torn_workbook_is_unreadable(tmp_path: Path, cut: int) -> None:
    workbook(tmp_path / "book.xlsx", ["Name", "Mobile"], ["Mona", ONE])
    with pytest.raises(UnreadableFile):
        rows_of(tmp_path, (tmp_path / "book.xlsx").read_bytes()[:cut])


@given(st.binary(max_size=200))
def test_any_bytes_are_rows_or_unreadable(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(content)
    with contextlib.suppress(UnreadableFile):
        assert all(isinstance(row, FileRow) for row in ListFile(path).rows())
