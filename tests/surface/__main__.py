"""Surface: what a checkout shows to the outside; `python tests/surface` records it, and compares two such records.

Neither the places of modules nor the names of classes are part of it: a tree before a regrouping has the same surface
as the tree after it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from difference import Difference

HERE = Path(__file__).parent
OWNED = ("models", "constants")
SECONDS_MAX = 300


def surface(tree: Path) -> dict[str, Any]:
    parsed = _said(tree, "parsed.py")
    packages = {package: _said(tree, "imported.py", package) for package in parsed.pop("packages")}
    common = packages["spreader"]
    names = {package: set(each["metrics"]) for package, each in packages.items()}
    return {
        **parsed,
        **{section: common[section] for section in ("topics", "dead_letter_topic", "events")},
        **{section: {name: each[section] for name, each in packages.items()} for section in OWNED},
        "settings": {name: each["settings"] for name, each in packages.items()},
        "metrics": _metrics(packages),
        "defined": {
            name: sorted(found - (names["spreader"] if name != "spreader" else set())) for name, found in names.items()
        },
        "pages": {name: each["pages"] for name, each in packages.items() if each["pages"] is not None},
        "http": {name: each["http"] for name, each in packages.items() if each["http"] is not None},
    }


def _metrics(packages: dict[str, Any]) -> dict[str, Any]:
    """What each metric is; `pages` has what it shows at the start, and where."""
    found: dict[str, list[Any]] = {}
    for each in packages.values():
        for name, metric in each["metrics"].items():
            kept = {key: metric[key] for key in ("type", "labels", "buckets")}
            if kept not in found.setdefault(name, []):
                found[name].append(kept)
    return found


def _said(tree: Path, script: str, *words: str) -> Any:
    """What a script of this folder says in the tree's own Python; it writes nothing into the tree."""
    python = tree / ".venv/bin/python"
    with tempfile.TemporaryDirectory() as empty:
        environment = {
            "PATH": os.environ.get("PATH", ""), "HOME": empty, "TZ": "UTC", "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0", "SPREADER_API_KEY": "not used: nothing is started",
        }  # fmt: skip
        done = subprocess.run(
            [python, HERE / script, tree, *words],
            cwd=empty, env=environment, stdout=subprocess.PIPE, text=True, timeout=SECONDS_MAX,
        )  # fmt: skip
    if done.returncode:
        sys.exit(f"{script} {' '.join(words)} failed in {tree}: see above")
    return json.loads(done.stdout)


def main() -> int:
    """The exit code: 1 where two surfaces differ in what must stay."""
    parser = argparse.ArgumentParser(prog="python tests/surface", description="Record or compare outside surfaces.")
    parser.add_argument("tree", type=Path, nargs="?", help="a checkout with its own .venv")
    parser.add_argument("--diff", type=Path, nargs=2, metavar=("OLD", "NEW"), help="two records; prints Markdown")
    asked = parser.parse_args()
    if asked.diff:
        old, new = (json.loads(path.read_text()) for path in asked.diff)
        found = Difference(old, new)
        print(found.markdown())
        return 1 if found.failing else 0
    if asked.tree is None:
        parser.error("name a checkout, or two records with --diff")
    json.dump(surface(asked.tree.resolve()), sys.stdout, indent=1, sort_keys=True, ensure_ascii=False)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
