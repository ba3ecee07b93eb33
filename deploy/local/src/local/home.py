"""Home: the folder of one local system, with its data, its clock and its running processes."""

import fcntl
import json
import os
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from local.unavailable import Unavailable
from spreader.clock import Clock
from spreader.vault import new_key

FREE_BYTES_MIN = 500 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class LocalHome:
    folder: Path

    @contextmanager
    def lock(self) -> Generator[None]:
        """Lock the folder for this process. Raises Unavailable if another system runs in the folder, or if the disk is
        full."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = (self.folder / "lock").open("a+")
        except OSError as error:
            raise Unavailable(
                f"Cannot write to {self.folder}: {error.strerror}. Choose another folder with SPREADER_HOME."
            ) from None
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Unavailable(
                    f"Spreader already runs in {self.folder}. Stop it, or choose another folder with SPREADER_HOME."
                ) from None
            free = shutil.disk_usage(self.folder).free
            if free < FREE_BYTES_MIN:
                raise Unavailable(
                    f"The disk of {self.folder} has {free // 2**20} MB left; Spreader needs "
                    f"{FREE_BYTES_MIN // 2**20} MB. Free some space, or choose another folder with SPREADER_HOME."
                )
            try:
                yield
            finally:
                self._running.unlink(missing_ok=True)

    def clock(self, wall: datetime, speed: float, given: str | None = None) -> Clock:
        """The clock of this run. It is the `given` clock, or else a clock that continues where the last run ended, at
        `speed`.

        The clock is saved for the next run. Raises Unavailable if it would set the time back.
        """
        last = self._last_clock()
        clock = continued_clock(last, wall, speed) if given is None else Clock.parse(given)
        if last is not None and clock.at(wall) < last.at(wall):
            raise Unavailable(
                f"SPREADER_CLOCK says {clock.at(wall):%F %T}, but this system is already at {last.at(wall):%F %T}: "
                "time cannot run backwards. Unset SPREADER_CLOCK, or choose another SPREADER_HOME."
            )
        _write(self.folder / "clock.json", {"clock": clock.text})
        return clock

    def secret_key(self) -> str:
        """The key that encrypts credentials."""
        return self._kept_secret("secret.key")

    def internal_token(self) -> str:
        """The token that services show to each other."""
        return self._kept_secret("internal.token")

    def _kept_secret(self, name: str) -> str:
        """A secret that is created at the first start. Only the user who started the system can read the file."""
        file = self.folder / name
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return file.read_text().strip()
        key = new_key()
        with os.fdopen(descriptor, "w") as opened:
            opened.write(key)
        return key

    def save_running(self, processes: Mapping[str, int | None], addresses: Mapping[str, str]) -> None:
        """Save process ids and addresses for `make demo`, and for tests that kill processes."""
        _write(self._running, {"pid": os.getpid(), "processes": dict(processes), "addresses": dict(addresses)})

    def running(self) -> dict[str, Any] | None:
        try:
            return json.loads(self._running.read_text())
        except FileNotFoundError:
            return None

    @property
    def _running(self) -> Path:
        return self.folder / "running.json"

    def _last_clock(self) -> Clock | None:
        try:
            return Clock.parse(json.loads((self.folder / "clock.json").read_text())["clock"])
        except FileNotFoundError:
            return None


def continued_clock(last: Clock | None, wall: datetime, speed: float) -> Clock:
    """The clock of the next run. A new system starts at wall time, whatever its speed. An existing system continues
    from its own time."""
    return (last or Clock(1.0, wall, wall)).anchored(wall, speed)


def _write(file: Path, content: Mapping[str, Any]) -> None:
    """Write atomically, so that after a crash the file has either its old or its new content."""
    half = file.with_suffix(".half")
    half.write_text(json.dumps(content, indent=2))
    half.replace(file)
