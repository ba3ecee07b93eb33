"""Media: the files that messages carry, given once and named from then on."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from ingress.http import request_body
from ingress.http.openapi import describe
from ingress.http.pagination import PathId
from ingress.http.problems import MALFORMED
from ingress.http.responses import Answer
from ingress.http.urls import API
from spreader.contract.content import FILENAME_CHARACTERS_MAX
from spreader.http.problems import Problem, invalid, not_found
from spreader.media.safe_fetch import MediaRefused
from spreader.media.store import MediaInfo, MediaStore
from spreader.media.types import BYTES_MAX

FORM_BYTES_MAX = BYTES_MAX + 64 * 1024
FORGET_EVERY_SECONDS = 3600.0

Filename = Annotated[str | None, Query(min_length=1, max_length=FILENAME_CHARACTERS_MAX)]


@dataclass(frozen=True, slots=True)
class Files:
    store: MediaStore

    async def upload(self, request: Request, filename: Filename = None) -> Response:
        """A form with one `file`, or the file itself as the body."""
        if request.headers.get("content-type", "").startswith("multipart/form-data"):
            data, named = await _of_form(request)
        else:
            data, named = await request_body.read(request, BYTES_MAX), None
        try:
            kept = await self.store.keep(data, filename or named)
        except MediaRefused as refused:
            raise invalid("/file", "media", str(refused)) from None
        return Answer(201, shown(kept), {"Location": f"{API}/media/{kept.media_id}"}).response()

    async def get(self, media_id: PathId) -> Response:
        described = await self.store.describe(media_id)
        if described is None:
            raise not_found("file", media_id)
        return Answer(200, shown(described)).response()

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=f"{API}/media", tags=["media"])
        describe(router, "POST", "", self.upload, "uploadMedia", "Give a file that messages can carry", status=201,
                 file=True, answer=EXAMPLE, problems=(400, 413, 422))  # fmt: skip
        describe(router, "GET", "/{media_id}", self.get, "getMedia", "What is known of a file", answer=EXAMPLE,
                 problems=(404,))  # fmt: skip
        return router


@dataclass(frozen=True, slots=True)
class OldFiles:
    store: MediaStore
    keep_days: float

    async def turn(self) -> float:
        await self.store.forget(timedelta(days=self.keep_days))
        return FORGET_EVERY_SECONDS


def shown(described: MediaInfo) -> dict[str, Any]:
    return {
        "media_id": described.media_id,
        "type": described.type,
        "size_bytes": described.size_bytes,
        "sha256": described.sha256,
        "filename": described.filename,
        "kinds": described.kinds,
    }


async def _of_form(request: Request) -> tuple[bytes, str | None]:
    try:
        form = await MultiPartParser(request.headers, _bounded(request), max_files=1, max_fields=8).parse()
    except MultiPartException as error:
        raise Problem(MALFORMED, f"The form cannot be read: {error.message}") from None
    try:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise invalid("/file", "missing", "the form has no file of the name `file`")
        return await file.read(), (file.filename or "")[:FILENAME_CHARACTERS_MAX] or None
    finally:
        await form.close()


async def _bounded(request: Request) -> AsyncGenerator[bytes]:
    """What the form is read from: it ends with a problem where it grows over the largest file."""
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > FORM_BYTES_MAX:
            raise request_body.too_large(BYTES_MAX, "A file may have so many at the most.")
        yield piece


EXAMPLE: dict[str, Any] = {
    "media_id": "med_2f92c6cb7d479ea40b4d1f2f6a1f3c55",
    "type": "image/png",
    "size_bytes": 48213,
    "sha256": "2f92c6cb7d479ea40b4d1f2f6a1f3c5593c7b2d5e8a0f14bb1c2d3e4f5a6b7c8",
    "filename": "offer.png",
    "kinds": ["image"],
}
