"""Received list: the file of an import. It is stored on disk, and threads read its rows."""

import asyncio
import os
import tempfile
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import chain, islice
from pathlib import Path
from typing import IO

from fastapi import Request

from ingress.http.problems import MALFORMED
from ingress.http.request_body import too_large
from spreader.http.problems import Problem
from spreader.phone.list_file import ListFile, UnreadableFile
from spreader.phone.number_column import SAMPLE_ROWS
from spreader.phone.text_rows import FileRow

LISTS_MAX = 2
"""How many lists may be on disk at the same time. Further imports wait."""
IDLE_SECONDS = 60.0
"""A request ends if no part of its list has arrived for this time."""
_places = asyncio.Semaphore(LISTS_MAX)
_turn = asyncio.Semaphore(1)
"""Only one list is read at a time, because the rows of an XLSX file may need much memory."""


class ReceivedList:
    """`first`: the first rows, from which the column with the phone numbers is chosen."""

    def __init__(self, first: Sequence[FileRow], rows: Iterator[FileRow]) -> None:
        self.first = first
        self._rows = chain(first, rows)

    async def batches(self, skipped: int, rows_at_once: int) -> AsyncGenerator[list[FileRow]]:
        """Yields the rows in batches. The first `skipped` rows are left out. Raises the problem `malformed`."""
        await asyncio.to_thread(_take, self._rows, skipped)
        while batch := await asyncio.to_thread(_take, self._rows, rows_at_once):
            yield batch


@asynccontextmanager
async def received_list(request: Request, bytes_max: int) -> AsyncGenerator[ReceivedList]:
    """Stores the request's body as a list, and deletes it when the `with` block ends. Raises the problems `too-large`
    and `malformed`."""
    async with _places:
        handle, name = tempfile.mkstemp(prefix="spreader-")
        try:
            with os.fdopen(handle, "wb") as file:
                await _write(request, file, bytes_max)
            async with _turn:
                rows = ListFile(Path(name)).rows()
                try:
                    yield ReceivedList(await asyncio.to_thread(_take, rows, SAMPLE_ROWS), rows)
                finally:
                    with suppress(ValueError):  # a thread still reads the rows of a cancelled request
                        rows.close()
        finally:
            os.unlink(name)


async def _write(request: Request, file: IO[bytes], bytes_max: int) -> None:
    size, clock = 0, asyncio.get_running_loop().time
    try:
        async with asyncio.timeout(IDLE_SECONDS) as limit:
            async for chunk in request.stream():
                size += len(chunk)
                if size > bytes_max:
                    raise too_large(bytes_max, "Split the file.")
                file.write(chunk)
                limit.reschedule(clock() + IDLE_SECONDS)
    except TimeoutError:
        raise Problem(MALFORMED, f"Nothing of the file has arrived for {IDLE_SECONDS:g} s.") from None


def _take(rows: Iterator[FileRow], count: int) -> list[FileRow]:
    try:
        return list(islice(rows, count))
    except UnreadableFile as error:
        raise Problem(MALFORMED, str(error)) from None
