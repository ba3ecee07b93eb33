"""Promtool: Prometheus' own judge of rules, from this machine or unpacked from Debian's package. Only tests need it."""

import os
import shutil
import subprocess
from pathlib import Path

from local.cache import once
from local.unavailable import Unavailable, in_short

PACKAGE = "prometheus"
_PROGRAM = Path("usr") / "bin" / "promtool"
_SECONDS = 300
_ELSEWHERE = "promtool is not on the PATH: install Prometheus (Debian: `sudo apt-get install prometheus`)"


def promtool() -> Path:
    """The one on the PATH; else that of Debian's package, which is not installed for it: no server starts."""
    found = shutil.which("promtool")
    return Path(found) if found else once("promtool-of-debian", _fetch) / "promtool"


def _fetch(folder: Path) -> None:
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise Unavailable(f"{_ELSEWHERE}.")
    said = _run(["apt-get", "download", PACKAGE], folder)
    if said is not None and os.geteuid() == 0:  # a fresh machine knows of no packages yet
        _run(["apt-get", "update", "-q"], folder)
        said = _run(["apt-get", "download", PACKAGE], folder)
    if said is not None:
        raise Unavailable(f"{_ELSEWHERE}. apt-get cannot download it: {said}")
    (package,) = folder.glob("*.deb")
    unpacked = folder / "unpacked"
    said = _run(["dpkg-deb", "-x", str(package), str(unpacked)], folder)
    if said is not None:
        raise Unavailable(f"{_ELSEWHERE}. Its package cannot be unpacked: {said}")
    shutil.move(unpacked / _PROGRAM, folder / "promtool")
    shutil.rmtree(unpacked)
    package.unlink()


def _run(command: list[str], folder: Path) -> str | None:
    """None: it went well; else what it said."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"it took more than {_SECONDS} s"
    return None if done.returncode == 0 else in_short(done.stderr) or f"it ended with {done.returncode}"
