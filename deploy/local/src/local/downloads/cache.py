"""Cache: the user's folder of downloads. An entry is either complete or absent."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from local.unavailable import Unavailable

FREE_BYTES_MIN = 300 * 1024 * 1024
_UNUSABLE = "Cannot write to the download cache {folder}: {reason}. Choose another folder with SPREADER_CACHE."


def cache_folder() -> Path:
    """The folder that `SPREADER_CACHE` names, or else `spreader` in the user's cache folder. Raises Unavailable if it
    is not writable."""
    chosen = os.environ.get("SPREADER_CACHE")
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(chosen) if chosen else Path(home) / "spreader"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(_UNUSABLE.format(folder=folder, reason=error.strerror)) from None
    if not os.access(folder, os.W_OK):
        raise Unavailable(_UNUSABLE.format(folder=folder, reason="it is read-only"))
    return folder


@contextmanager
def locked(file: Path) -> Generator[None]:
    """Hold a lock against other processes. If this process dies, the operating system releases the lock."""
    with file.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _check_free(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < FREE_BYTES_MIN:
        raise Unavailable(
            f"The disk of {folder} has {free // 2**20} MB left; downloads need {FREE_BYTES_MIN // 2**20} MB. "
            "Free some space, or choose another folder with SPREADER_CACHE."
        )


def cached_folder(name: str, fill: Callable[[Path], None]) -> Path:
    """The folder `name` of the cache. If it is absent, `fill` is called to fill a new folder."""
    folder = cache_folder() / name
    with locked(cache_folder() / f"{name}.lock"):
        if not folder.exists():
            _check_free(folder.parent)
            partial = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=cache_folder()))
            try:
                fill(partial)
                partial.rename(folder)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    return folder
