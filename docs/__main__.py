"""python -m docs: write the generated pages; with --check only list the stale ones, and exit 1 if there are any."""

import argparse
import sys
from pathlib import Path

from docs.pages import FOLDER, stale, write


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m docs", description="Write the generated pages of the docs.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a page is stale")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="the folder of the pages (default: docs)")
    arguments = parser.parse_args()
    changed = (stale if arguments.check else write)(arguments.folder)
    for page in changed:
        sys.stdout.write(f"{page} is stale: run `make docs`\n" if arguments.check else f"{page} was written\n")
    return 1 if arguments.check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
