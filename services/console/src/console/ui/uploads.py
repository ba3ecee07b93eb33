"""Uploads: files that a browser sends, written to disk as they come, and handed to the page that asked for one."""

import contextlib
import os
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, Response
from nicegui import Client, ui
from starlette.requests import ClientDisconnect

from console.core.markup import tag
from console.theme import icon
from console.ui.elements import html

MOUNT = "/uploads"
BYTES_MAX = 256 * 1024 * 1024

Taken = Callable[[str, Path], Awaitable[None]]
"""Hears the file's name and where it lies; it is deleted when this returns, unless it was moved."""


@dataclass(frozen=True, slots=True)
class Slot:
    client: Client
    taken: Taken


class Uploads:
    def __init__(self) -> None:
        self._slots: dict[str, Slot] = {}

    def field(self, label: str, kinds: str, taken: Taken, testid: str = "file") -> None:
        """A place to choose a file or drop one; `kinds` as in HTML's `accept`."""
        token, client = os.urandom(16).hex(), ui.context.client
        self._slots[token] = Slot(client, taken)
        client.on_delete(lambda: self._slots.pop(token, None))
        chosen = tag("input", type="file", accept=kinds, onchange=f"spreaderUpload(this, '{MOUNT}/{token}')")
        words = tag("span", label, class_="drop-said", aria_live="polite")
        html(tag("label", icon("file"), words, chosen, class_="drop", data_testid=testid))

    def install(self, app: FastAPI) -> None:
        async def receive(token: str, request: Request) -> Response:
            slot = self._slots.get(token)
            if slot is None:
                return PlainTextResponse("The page has been closed: open it again.", 404)
            handle, path = tempfile.mkstemp(prefix="spreader-")
            os.close(handle)
            try:
                if await _write(request, Path(path)):
                    with slot.client:
                        await slot.taken(request.query_params.get("name", "")[:200], Path(path))
                    return Response(status_code=204)
                return PlainTextResponse(f"The file is over {BYTES_MAX // 2**20} MB: cut it into several.", 413)
            except ClientDisconnect:
                return Response(status_code=400)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)

        app.add_api_route(MOUNT + "/{token}", receive, methods=["POST"], include_in_schema=False)


async def _write(request: Request, path: Path) -> bool:
    """Whether all of it was written; a larger one than we take is not read to its end."""
    size = 0
    with path.open("wb") as file:
        async for piece in request.stream():
            size += len(piece)
            if size > BYTES_MAX:
                return False
            file.write(piece)
    return True
