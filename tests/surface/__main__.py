"""Surface: what a checkout shows to the outside. `python tests/surface` records it and compares two records.

The places of modules and the names of classes are not part of it: moving and renaming code does not change the surface.
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
    parsed = _output(tree, "source_tree.py")
    packages = {package: _output(tree, "imported_package.py", package) for package in parsed.pop("packages")}
    common = packages["spreader"]
    names = {package: set(each["metrics"]) for package, each in packages.items()}
    return {
        **parsed,
        **{section: common[section] for section in ("topics", "dead_letter_topic", "events")},
        **{section: {name: each[section] for name, each in packages.items()} for section in OWNED},
        "settings": {name: each["settings"] for name, each in packages.items()},
        "metrics": _metrics(packages),
        "defined": {
            name: sorted(own - (names["spreader"] if name != "spreader" else set())) for name, own in names.items()
        },
        "pages": {name: each["pages"] for name, each in packages.items() if each["pages"] is not None},
        "http": {name: each["http"] for name, each in packages.items() if each["http"] is not None},
    }


def _metrics(packages: dict[str, Any]) -> dict[str, Any]:
    """The type, labels and buckets of each metric. `pages` contains the series that each service shows at its start."""
    metrics: dict[str, list[Any]] = {}
    for package in packages.values():
        for name, metric in package["metrics"].items():
            kept = {key: metric[key] for key in ("type", "labels", "buckets")}
            if kept not in metrics.setdefault(name, []):
                metrics[name].append(kept)
    return metrics


def _output(tree: Path, script: str, *arguments: str) -> Any:
    """The output of a script of this folder, run by the tree's own Python. It writes nothing into the tree."""
    python = tree / ".venv/bin/python"
    with tempfile.TemporaryDirectory() as empty:
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": empty,
            "TZ": "UTC",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",
            "SPREADER_API_KEY": "not used: nothing is started",
        }
        done = subprocess.run(
            [python, HERE / script, tree, *arguments],
            cwd=empty,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            timeout=SECONDS_MAX,
        )
    if done.returncode:
        sys.exit(f"{script} {' '.join(arguments)} failed in {tree}: see the traceback above")
    return json.loads(done.stdout)


def main() -> int:
    """Returns the exit code: 1 if two surfaces differ in something that must not change."""
    parser = argparse.ArgumentParser(prog="python tests/surface", description="Record or compare outside surfaces.")
    parser.add_argument("tree", type=Path, nargs="?", help="a checkout with its own .venv")
    parser.add_argument("--diff", type=Path, nargs=2, metavar=("OLD", "NEW"), help="two records; prints Markdown")
    options = parser.parse_args()
    if options.diff:
        old, new = (json.loads(path.read_text()) for path in options.diff)
        difference = Difference(old, new)
        print(difference.markdown())
        return 1 if difference.failing else 0
    if options.tree is None:
        parser.error("name a checkout, or two records with --diff")
    json.dump(surface(options.tree.resolve()), sys.stdout, indent=1, sort_keys=True, ensure_ascii=False)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
