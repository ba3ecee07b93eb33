"""python -m docs: write the generated pages; with --check only say which of them are stale, and exit 1."""

import argparse
import sys
from pathlib import Path

from docs.pages import FOLDER, stale, write


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m docs", description="Write the generated pages of the docs.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a page is stale")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the pages are (default: docs)")
    asked = parser.parse_args()
    changed = (stale if asked.check else write)(asked.folder)
    for page in changed:
        sys.stdout.write(f"{page} is stale: run `make docs`\n" if asked.check else f"{page} was written\n")
    return 1 if asked.check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
