"""Promtool: Prometheus' checker of alert rules, from the PATH or unpacked from Debian's package."""

import os
import shutil
import subprocess
from pathlib import Path

from local.downloads.cache import cached_folder
from local.unavailable import Unavailable, shorten

PACKAGE = "prometheus"
_PROGRAM = Path("usr") / "bin" / "promtool"
_SECONDS = 300
_MISSING = "promtool is not on the PATH. Install Prometheus (Debian: `sudo apt-get install prometheus`)"


def promtool() -> Path:
    """The path of promtool: from the PATH, or else from Debian's package. The package is only unpacked, because its
    installation would start a server."""
    installed = shutil.which("promtool")
    return Path(installed) if installed else cached_folder("promtool-of-debian", _fetch) / "promtool"


def _fetch(folder: Path) -> None:
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise Unavailable(f"{_MISSING}.")
    failure = _run(["apt-get", "download", PACKAGE], folder)
    if failure is not None and os.geteuid() == 0:  # a new machine has no package lists yet
        _run(["apt-get", "update", "-q"], folder)
        failure = _run(["apt-get", "download", PACKAGE], folder)
    if failure is not None:
        raise Unavailable(f"{_MISSING}. apt-get cannot download it: {failure}")
    (package,) = folder.glob("*.deb")
    unpacked = folder / "unpacked"
    failure = _run(["dpkg-deb", "-x", str(package), str(unpacked)], folder)
    if failure is not None:
        raise Unavailable(f"{_MISSING}. Its package cannot be unpacked: {failure}")
    shutil.move(unpacked / _PROGRAM, folder / "promtool")
    shutil.rmtree(unpacked)
    package.unlink()


def _run(command: list[str], folder: Path) -> str | None:
    """Run a command. Returns None for success, else the command's error output."""
    try:
        completed = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"it took more than {_SECONDS} s"
    return None if completed.returncode == 0 else shorten(completed.stderr) or f"it ended with {completed.returncode}"
