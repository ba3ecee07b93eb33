"""Uploads: the file fields of pages, and the endpoint that receives the chosen files."""

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

OnUpload = Callable[[str, Path], Awaitable[None]]
"""A function that is called with the name and the temporary path of an uploaded file.

After the function returns, the file is deleted. To keep the file, the function must move it.
"""


@dataclass(frozen=True, slots=True)
class UploadSlot:
    """A file field on an open page."""

    client: Client
    on_upload: OnUpload


class UploadFields:
    """The file fields of all open pages. The token in an upload address identifies the field."""

    def __init__(self) -> None:
        self._slots: dict[str, UploadSlot] = {}

    def field(self, label: str, accept: str, on_upload: OnUpload, testid: str = "file") -> None:
        """Add a file field to the page. `accept` has the meaning of the HTML attribute `accept`."""
        token, client = os.urandom(16).hex(), ui.context.client
        self._slots[token] = UploadSlot(client, on_upload)
        client.on_delete(lambda: self._slots.pop(token, None))
        chosen = tag("input", type="file", accept=accept, onchange=f"spreaderUpload(this, '{MOUNT}/{token}')")
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
                        await slot.on_upload(request.query_params.get("name", "")[:200], Path(path))
                    return Response(status_code=204)
                return PlainTextResponse(f"The file is over {BYTES_MAX // 2**20} MB: cut it into several.", 413)
            except ClientDisconnect:
                return Response(status_code=400)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)

        app.add_api_route(MOUNT + "/{token}", receive, methods=["POST"], include_in_schema=False)


async def _write(request: Request, path: Path) -> bool:
    """Write the body of the request to the file. Stops and returns False if the body exceeds `BYTES_MAX`."""
    size = 0
    with path.open("wb") as file:
        async for chunk in request.stream():
            size += len(chunk)
            if size > BYTES_MAX:
                return False
            file.write(chunk)
    return True
