"""Journal: an append-only file of JSON lines that survives kill -9.

`append` writes a line in one system call before it returns. So the line is not lost when the process ends. A power cut
may lose it, because there is no fsync. `open` removes an incomplete last line, because its `append` never returned.
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
    """Call `open` before anything else. A lock on the file keeps other processes from opening it."""

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

    def open(self, replay: Callable[[int, bytes], None]) -> None:
        """Remove an incomplete last line, and pass every other line and its offset to `replay`."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._locked(self._path)
        self._size, self._lines, self._marks = 0, 0, []
        try:
            for line in self._whole_lines():
                offset = self._count(len(line))
                replay(offset, line)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def append(self, line: bytes) -> int:
        """Write a line and a line feed after it. Returns the line's offset. Raises `OSError` if the disk is full."""
        data = line + b"\n"
        written = os.write(self._file, data)
        if written != len(data):
            os.ftruncate(self._file, self._size)
            raise OSError(f"Cannot write to {self._path}: the disk may be full. Nothing was written.")
        return self._count(len(data))

    def read(self, offset: int) -> bytes:
        """The line at an offset that `open` passed or `append` returned."""
        return os.pread(self._file, LINE_BYTES_MAX, offset).split(b"\n", 1)[0]

    def chunks(self, skip_lines: int) -> Iterator[bytes]:
        """The current content without the first `skip_lines` lines, in chunks that may end within a line."""
        offset, end = self._offset_of(skip_lines), self._size
        while offset < end:
            chunk = os.pread(self._file, min(CHUNK_BYTES, end - offset), offset)
            offset += len(chunk)
            yield chunk

    def rewrite(self, lines: Iterable[bytes]) -> None:
        """Replace the content of the file by these lines. After a crash the file has the old or the new content."""
        fresh = self._path.with_suffix(".fresh")
        with fresh.open("wb") as file:
            file.writelines(line + b"\n" for line in lines)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
        self.close()
        self.open(lambda _offset, _line: None)

    def _count(self, length: int) -> int:
        offset = self._size
        if self._lines % MARK_LINES == 0:
            self._marks.append(offset)
        self._size += length
        self._lines += 1
        return offset

    def _offset_of(self, line: int) -> int:
        if line >= self._lines:
            return self._size
        mark, rest = divmod(line, MARK_LINES)
        offset = self._marks[mark]
        with self._path.open("rb") as file:
            file.seek(offset)
            return offset + sum(len(file.readline()) for _ in range(rest))

    def _whole_lines(self) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield line
                else:
                    log.warning(
                        "the last line of the file is incomplete (the process was killed); dropping it",
                        file=str(self._path),
                        bytes=len(line),
                    )
                    os.ftruncate(self._file, self._size)

    @staticmethod
    def _locked(path: Path) -> int:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(file)
            raise OSError(
                f"Cannot lock {path}: another simulator is using it. "
                "Stop that one, or set SPREADER_SIMULATOR_HOME to another folder."
            ) from error
        return file
