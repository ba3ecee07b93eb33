"""Spooled file: keeps a received file on disk, so that the file takes memory only while the media store inspects it."""

from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from starlette.datastructures import UploadFile

SPOOL_BYTES = 64 * 1024
"""A file up to this size stays in memory."""


def spooled_file() -> UploadFile:
    """A new, empty file. It is deleted when it is closed."""
    return UploadFile(cast(BinaryIO, SpooledTemporaryFile(SPOOL_BYTES)), size=0)
