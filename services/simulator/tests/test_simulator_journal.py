"""The journal under the ledger, the accounts and the customer messages."""

import resource
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.journal import MARK_LINES, Journal


def opened(path: Path) -> tuple[Journal, list[bytes]]:
    journal, lines = Journal(path), list[bytes]()
    journal.open(lambda _place, line: lines.append(line))
    return journal, lines


def numbered(count: int) -> list[bytes]:
    return [b'{"line":%d}' % number for number in range(count)]


@given(
    st.integers(0, 12),
    st.integers(0, 15),
    st.sampled_from([0, MARK_LINES - 6, 2 * MARK_LINES - 6]),
    st.booleans(),
)
def test_reading_after_n_lines_gives_the_rest(count: int, skip: int, more: int, reopened: bool) -> None:
    lines = numbered(count + more)
    with tempfile.TemporaryDirectory() as folder:
        journal, _ = opened(Path(folder) / "journal")
        for line in lines:
            journal.append(line)
        if reopened:
            journal.close()
            journal, _ = opened(Path(folder) / "journal")
        assert b"".join(journal.chunks(skip + more)).splitlines() == lines[skip + more :]
        journal.close()


@given(st.integers(0, 4), st.integers(0, 50))
def test_a_file_cut_anywhere_keeps_its_whole_lines(count: int, cut: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal"
        whole = b"".join(line + b"\n" for line in numbered(count))[:cut]
        path.write_bytes(whole)
        journal, lines = opened(path)
        journal.append(b"next")
        journal.close()
        assert lines == whole.splitlines(keepends=True)[: whole.count(b"\n")]
        assert path.read_bytes() == b"".join(lines) + b"next\n"


def test_a_line_is_read_by_its_offset(tmp_path: Path) -> None:
    journal, _ = opened(tmp_path / "journal")
    places = [journal.append(line) for line in numbered(20)]
    assert [journal.read(place) for place in places] == numbered(20)
    journal.close()


def test_a_line_is_on_disk_when_append_returns(tmp_path: Path) -> None:
    journal, _ = opened(tmp_path / "journal")
    journal.append(b"one")
    assert (tmp_path / "journal").read_bytes() == b"one\n"
    journal.close()


def test_two_processes_cannot_write_one_file(tmp_path: Path) -> None:
    journal, _ = opened(tmp_path / "journal")
    with pytest.raises(OSError, match="another simulator is using it"):
        opened(tmp_path / "journal")
    journal.close()
    opened(tmp_path / "journal")[0].close()


def test_a_full_disk_is_an_error_and_leaves_no_half_line(tmp_path: Path) -> None:
    journal, _ = opened(tmp_path / "journal")
    journal.append(b"one")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        with pytest.raises(OSError, match="the disk may be full"):
            journal.append(b"a line that does not fit")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    journal.append(b"two")
    assert (tmp_path / "journal").read_bytes() == b"one\ntwo\n"
    assert b"".join(journal.chunks(1)) == b"two\n"
    journal.close()


def test_rewrite_replaces_all_lines(tmp_path: Path) -> None:
    journal, _ = opened(tmp_path / "journal")
    for line in numbered(5):
        journal.append(line)
    journal.rewrite([b"only"])
    journal.append(b"next")
    assert (journal.lines, b"".join(journal.chunks(0))) == (2, b"only\nnext\n")
    journal.close()
    assert opened_lines(tmp_path / "journal") == [b"only\n", b"next\n"]


def opened_lines(path: Path) -> list[bytes]:
    journal, lines = opened(path)
    journal.close()
    return lines
