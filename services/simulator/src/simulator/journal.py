"""Journal: an append-only file of JSON lines that survives kill -9.

A line is handed to the operating system in one write before `append` returns: the end of the process cannot lose it
(a power cut can: there is no fsync). A line torn by the end of the process was never answered for; opening drops it.
"""

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import structlog

log = structlog.get_logger()

MARK_LINES = 256
CHUNK_BYTES = 256 * 1024
LINE_BYTES_MAX = 64 * 1024


class Journal:
    """Open it before use. One process at a time: the file is locked."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1
        self._size = 0
        self._lines = 0
        self._marks: list[int] = []

    @property
    def size(self) -> int:
        return self._size

    @property
    def lines(self) -> int:
        return self._lines

    def open(self, each: Callable[[int, bytes], None]) -> None:
        """Repair the file and show `each` line with its place."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._locked(self._path)
        self._size, self._lines, self._marks = 0, 0, []
        try:
            for line in self._whole_lines():
                place = self._count(len(line))
                each(place, line)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def append(self, line: bytes) -> int:
        """Write a line (without its line feed); answers its place."""
        data = line + b"\n"
        written = os.write(self._file, data)
        if written != len(data):
            os.ftruncate(self._file, self._size)
            raise OSError(f"{self._path} takes no more: is the disk full? Nothing was written.")
        return self._count(len(data))

    def read(self, place: int) -> bytes:
        """The line at a place that `open` or `append` gave."""
        return os.pread(self._file, LINE_BYTES_MAX, place).split(b"\n", 1)[0]

    def chunks(self, skip_lines: int) -> Iterator[bytes]:
        """What the journal holds now, from the line after `skip_lines`, in pieces of any length."""
        place, end = self._place_of(skip_lines), self._size
        while place < end:
            chunk = os.pread(self._file, min(CHUNK_BYTES, end - place), place)
            place += len(chunk)
            yield chunk

    def rewrite(self, lines: Iterable[bytes]) -> None:
        """Replace all by these lines, all or nothing."""
        fresh = self._path.with_suffix(".fresh")
        with fresh.open("wb") as file:
            file.writelines(line + b"\n" for line in lines)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
        self.close()
        self.open(lambda _place, _line: None)

    def _count(self, length: int) -> int:
        place = self._size
        if self._lines % MARK_LINES == 0:
            self._marks.append(place)
        self._size += length
        self._lines += 1
        return place

    def _place_of(self, line: int) -> int:
        if line >= self._lines:
            return self._size
        mark, rest = divmod(line, MARK_LINES)
        place = self._marks[mark]
        with self._path.open("rb") as file:
            file.seek(place)
            return place + sum(len(file.readline()) for _ in range(rest))

    def _whole_lines(self) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield line
                else:
                    log.warning("a torn last line was dropped", file=str(self._path), bytes=len(line))
                    os.ftruncate(self._file, self._size)

    @staticmethod
    def _locked(path: Path) -> int:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(file)
            raise OSError(
                f"{path} belongs to another simulator that runs now. "
                "Stop that one, or give this one its own SPREADER_SIMULATOR_HOME."
            ) from error
        return file
