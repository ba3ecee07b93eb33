"""Byte sink: a file in memory that keeps the written bytes until somebody takes them."""

import io
from typing import Any


class ByteSink(io.RawIOBase):
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
