"""Media endpoint: receives files and describes them. A message refers to a file by its `media_id`."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from typing_extensions import TypedDict

from ingress.http import request_body
from ingress.http.openapi import add_route
from ingress.http.pagination import PathId
from ingress.http.problems import MALFORMED
from ingress.http.responses import ApiResponse
from ingress.http.urls import API
from ingress.messages.spooled_file import SPOOL_BYTES, spooled_file
from spreader.contract.content import FILENAME_CHARACTERS_MAX
from spreader.http.problems import Problem, invalid, not_found, unavailable
from spreader.media.safe_fetch import MediaRefused, MediaUnavailable
from spreader.media.store import MediaInfo, MediaStore
from spreader.media.types import BYTES_MAX
from spreader.text.clean_text import find_unstorable

FORM_BYTES_MAX = BYTES_MAX + 64 * 1024
"""The most bytes of an upload form: the bytes of the largest allowed file, and 64 KiB for the form around it."""
FILE_ADVICE = f"A file may have at most {BYTES_MAX} bytes."

Filename = Annotated[str | None, Query(min_length=1, max_length=FILENAME_CHARACTERS_MAX)]


@dataclass(frozen=True, slots=True)
class MediaEndpoint:
    store: MediaStore

    async def upload(self, request: Request, filename: Filename = None) -> Response:
        """Stores a file. The body is a form with the file in the field `file`, or the body is the file itself."""
        is_form = request.headers.get("content-type", "").startswith("multipart/form-data")
        async with _form_file(request) if is_form else _body_file(request) as upload:
            given = (upload.filename or "")[:FILENAME_CHARACTERS_MAX] or None
            unstorable = find_unstorable(filename, "/query/filename", True) or find_unstorable(given, "/file", True)
            if unstorable is not None:
                raise request_body.unstorable_problem(unstorable)
            try:
                file = await self.store.put_from(upload.read, upload.size or 0, filename or given)
            except MediaRefused as error:
                raise invalid("/file", "media", str(error)) from None
            except MediaUnavailable as error:
                raise unavailable(f"The file was not stored: {error}. Send it again shortly.") from None
        return ApiResponse(201, _body(file), {"Location": f"{API}/media/{file.media_id}"}).render()

    async def get(self, media_id: PathId) -> Response:
        file = await self.store.info(media_id)
        if file is None:
            raise not_found("file", media_id)
        return ApiResponse(200, _body(file)).render()

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=f"{API}/media", tags=["media"])
        add_route(
            router,
            "POST",
            "",
            self.upload,
            "uploadMedia",
            "Upload a file for messages",
            status=201,
            file=True,
            shape=FileBody,
            response=FILE_EXAMPLE,
            problems=(400, 413, 422, 503),
        )
        add_route(
            router,
            "GET",
            "/{media_id}",
            self.get,
            "getMedia",
            "Describe a file: its type, its size, and the message types that can carry it",
            shape=FileBody,
            response=FILE_EXAMPLE,
            problems=(404,),
        )
        return router


class FileBody(TypedDict):
    """`kinds`: the types of messages that can carry the file."""

    media_id: str
    type: str
    size_bytes: int
    sha256: str
    filename: str | None
    kinds: tuple[str, ...]


def _body(file: MediaInfo) -> FileBody:
    return {
        "media_id": file.media_id,
        "type": file.type,
        "size_bytes": file.size_bytes,
        "sha256": file.sha256,
        "filename": file.filename,
        "kinds": file.kinds,
    }


@asynccontextmanager
async def _form_file(request: Request) -> AsyncGenerator[UploadFile]:
    """The file of a form. A file that is larger than `SPOOL_BYTES` stays on disk."""
    chunks = _chunks(request, FORM_BYTES_MAX)
    parser = MultiPartParser(request.headers, chunks, max_files=1, max_fields=8, max_part_size=SPOOL_BYTES)
    parser.spool_max_size = SPOOL_BYTES
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise Problem(MALFORMED, f"The form cannot be read: {error.message}") from None
    try:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise invalid("/file", "missing", "the form has no file in the field `file`")
        yield file
    finally:
        await form.close()


@asynccontextmanager
async def _body_file(request: Request) -> AsyncGenerator[UploadFile]:
    """The body as a file. A file that is larger than `SPOOL_BYTES` stays on disk."""
    request_body.check_announced(request, BYTES_MAX, FILE_ADVICE)
    file = spooled_file()
    try:
        async for chunk in _chunks(request, BYTES_MAX):
            await file.write(chunk)
        await file.seek(0)
        yield file
    finally:
        await file.close()


async def _chunks(request: Request, bytes_max: int) -> AsyncGenerator[bytes]:
    """The body in chunks. Raises the problem `too-large` when the body exceeds `bytes_max`."""
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > bytes_max:
            raise request_body.too_large(bytes_max, FILE_ADVICE)
        yield chunk


FILE_EXAMPLE: dict[str, Any] = {
    "media_id": "med_2f92c6cb7d479ea40b4d1f2f6a1f3c55",
    "type": "image/png",
    "size_bytes": 48213,
    "sha256": "2f92c6cb7d479ea40b4d1f2f6a1f3c5593c7b2d5e8a0f14bb1c2d3e4f5a6b7c8",
    "filename": "offer.png",
    "kinds": ["image"],
}
