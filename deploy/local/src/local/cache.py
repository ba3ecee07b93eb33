"""Cache: the user's folder of things fetched once; a name in it is complete or not there."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from local.unavailable import Unavailable

FREE_BYTES_MIN = 300 * 1024 * 1024
_UNUSABLE = "What is fetched once is kept in {folder}, which cannot be written: {reason}. SPREADER_CACHE names another."


def cache_folder() -> Path:
    """`SPREADER_CACHE`, else `spreader` in the user's cache folder."""
    own = os.environ.get("SPREADER_CACHE")
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(own) if own else Path(home) / "spreader"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(_UNUSABLE.format(folder=folder, reason=error.strerror)) from None
    if not os.access(folder, os.W_OK):
        raise Unavailable(_UNUSABLE.format(folder=folder, reason="it is read-only"))
    return folder


@contextmanager
def locked(file: Path) -> Generator[None]:
    """One process at a time: others wait. The lock ends with its process, however that ends."""
    with file.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _check_free(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < FREE_BYTES_MIN:
        raise Unavailable(
            f"The disk of {folder} has {free // 2**20} MB left; what is fetched once needs "
            f"{FREE_BYTES_MIN // 2**20} MB: make room, or choose another folder by SPREADER_CACHE."
        )


def once(name: str, fill: Callable[[Path], None]) -> Path:
    """The folder `name` of the cache; `fill` is called with an empty one to fill if it is not there."""
    wanted = cache_folder() / name
    with locked(cache_folder() / f"{name}.lock"):
        if not wanted.exists():
            _check_free(wanted.parent)
            half = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=cache_folder()))
            try:
                fill(half)
                half.rename(wanted)
            finally:
                shutil.rmtree(half, ignore_errors=True)
    return wanted
