"""Media endpoint: receives files and describes them. A message refers to a file by its `media_id`."""

from collections.abc import AsyncGenerator
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
from spreader.contract.content import FILENAME_CHARACTERS_MAX
from spreader.http.problems import Problem, invalid, not_found
from spreader.media.safe_fetch import MediaRefused
from spreader.media.store import MediaInfo, MediaStore
from spreader.media.types import BYTES_MAX
from spreader.text.clean_text import find_unstorable

FORM_BYTES_MAX = BYTES_MAX + 64 * 1024
"""The largest allowed file and 64 KiB for the form around it."""
FILE_ADVICE = f"A file may have at most {BYTES_MAX} bytes."

Filename = Annotated[str | None, Query(min_length=1, max_length=FILENAME_CHARACTERS_MAX)]


@dataclass(frozen=True, slots=True)
class MediaEndpoint:
    store: MediaStore

    async def upload(self, request: Request, filename: Filename = None) -> Response:
        """The body is a form with the file in the field `file`, or it is the file itself."""
        if request.headers.get("content-type", "").startswith("multipart/form-data"):
            data, form_filename = await _read_form(request)
        else:
            data, form_filename = await request_body.read(request, BYTES_MAX, FILE_ADVICE), None
        unstorable = find_unstorable(filename, "/query/filename", True) or find_unstorable(form_filename, "/file", True)
        if unstorable is not None:
            raise request_body.unstorable_problem(unstorable)
        try:
            file = await self.store.put(data, filename or form_filename)
        except MediaRefused as error:
            raise invalid("/file", "media", str(error)) from None
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
            problems=(400, 413, 422),
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


async def _read_form(request: Request) -> tuple[bytes, str | None]:
    """The bytes of the form's file, and the file's name. The name is None if the form gives no name."""
    try:
        form = await MultiPartParser(request.headers, _limited_stream(request), max_files=1, max_fields=8).parse()
    except MultiPartException as error:
        raise Problem(MALFORMED, f"The form cannot be read: {error.message}") from None
    try:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise invalid("/file", "missing", "the form has no file in the field `file`")
        return await file.read(), (file.filename or "")[:FILENAME_CHARACTERS_MAX] or None
    finally:
        await form.close()


async def _limited_stream(request: Request) -> AsyncGenerator[bytes]:
    """The body in chunks. Raises the problem `too-large` when the body exceeds `FORM_BYTES_MAX`."""
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > FORM_BYTES_MAX:
            raise request_body.too_large(FORM_BYTES_MAX, FILE_ADVICE)
        yield chunk


FILE_EXAMPLE: dict[str, Any] = {
    "media_id": "med_2f92c6cb7d479ea40b4d1f2f6a1f3c55",
    "type": "image/png",
    "size_bytes": 48213,
    "sha256": "2f92c6cb7d479ea40b4d1f2f6a1f3c5593c7b2d5e8a0f14bb1c2d3e4f5a6b7c8",
    "filename": "offer.png",
    "kinds": ["image"],
}
