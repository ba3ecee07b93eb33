"""Home: the folder of one local system: its data, its clock, and who runs in it now."""

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
class Home:
    folder: Path

    @contextmanager
    def occupied(self) -> Generator[None]:
        """Ours alone until the end of this process; raises where another system runs in it or the disk is full."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = (self.folder / "lock").open("a+")
        except OSError as error:
            raise Unavailable(f"SPREADER_HOME is {self.folder}, which cannot be written: {error.strerror}.") from None
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Unavailable(
                    f"Spreader runs in {self.folder} already: stop it, or choose another folder by SPREADER_HOME."
                ) from None
            free = shutil.disk_usage(self.folder).free
            if free < FREE_BYTES_MIN:
                raise Unavailable(
                    f"The disk of {self.folder} has {free // 2**20} MB left; Spreader needs "
                    f"{FREE_BYTES_MIN // 2**20} MB: make room, or choose another folder by SPREADER_HOME."
                )
            try:
                yield
            finally:
                self._running.unlink(missing_ok=True)

    def clock(self, wall: datetime, speed: float, given: str | None = None) -> Clock:
        """The clock that goes on from the last one at `speed`, and is kept for the next time."""
        kept = self._kept_clock()
        clock = continued(kept, wall, speed) if given is None else Clock.parse(given)
        if kept is not None and clock.at(wall) < kept.at(wall):
            raise Unavailable(
                f"SPREADER_CLOCK says {clock.at(wall):%F %T} but this system is at {kept.at(wall):%F %T} already: "
                "time does not run backwards. Choose another SPREADER_HOME, or leave SPREADER_CLOCK out."
            )
        _write(self.folder / "clock.json", {"clock": clock.text})
        return clock

    def secret_key(self) -> str:
        """The key that seals credentials here; made at the first start, readable by its owner alone."""
        file = self.folder / "secret.key"
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return file.read_text().strip()
        with os.fdopen(descriptor, "w") as new:
            new.write(made := new_key())
        return made

    def remember_running(self, processes: Mapping[str, int | None], addresses: Mapping[str, str]) -> None:
        """For `make demo` and for tests that kill: who runs here under which process id, and where it listens."""
        _write(self._running, {"pid": os.getpid(), "processes": dict(processes), "addresses": dict(addresses)})

    def running(self) -> dict[str, Any] | None:
        try:
            return json.loads(self._running.read_text())
        except FileNotFoundError:
            return None

    @property
    def _running(self) -> Path:
        return self.folder / "running.json"

    def _kept_clock(self) -> Clock | None:
        try:
            return Clock.parse(json.loads((self.folder / "clock.json").read_text())["clock"])
        except FileNotFoundError:
            return None


def continued(kept: Clock | None, wall: datetime, speed: float) -> Clock:
    """A new system begins at the wall's time, whatever the speed; an old one goes on where it is."""
    return (kept or Clock(1.0, wall, wall)).anchored(wall, speed)


def _write(file: Path, content: Mapping[str, Any]) -> None:
    """Whole or not at all: a reader, or the next start after a power cut, never sees half of it."""
    half = file.with_suffix(".half")
    half.write_text(json.dumps(content, indent=2))
    half.replace(file)
