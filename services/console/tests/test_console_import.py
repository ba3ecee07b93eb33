"""A list of a million rows: read in a process of its own, so that its memory can be told from ours."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

ROWS, WRONG = 1_000_000, 50
SCAN = """
import json, resource, sys, time
from pathlib import Path
from console.core.sheet import Scan
from console.sheets import Sheet

found, began = Scan(), time.monotonic()
sheet = Sheet("list.csv", Path(sys.argv[1]))
sheet.scan(1, found)
seconds = time.monotonic() - began
pieces = [len(piece) for piece in sheet.pieces(100_000)]
print(json.dumps({"good": found.good, "wrong": found.wrong, "lines": [each.line for each in found.errors],
                  "pieces": pieces, "seconds": round(seconds, 1),
                  "mebibytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)}))
"""


@pytest.mark.recorded
def test_a_million_rows_are_read_and_the_wrong_ones_named(
    tmp_path: Path, keep: Callable[[str, Mapping[str, Any]], None]
) -> None:
    wrong = dict.fromkeys(range(ROWS // WRONG, ROWS + 1, ROWS // WRONG), "n/a")
    with (tmp_path / "list.csv").open("w") as out:
        out.write("name,phone\n")
        out.writelines(f"Customer {row},{wrong.get(row, f'2010{row:08}')}\n" for row in range(1, ROWS + 1))
    done = subprocess.run(
        [sys.executable, "-c", SCAN, str(tmp_path / "list.csv")], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    assert (found["good"], found["wrong"]) == (ROWS - WRONG, WRONG)
    assert found["lines"] == [row + 1 for row in wrong][: len(found["lines"])]
    assert sum(found["pieces"]) == ROWS - WRONG
    keep("import", {"rows": ROWS, "file_mebibytes": round((tmp_path / "list.csv").stat().st_size / 2**20),
                    "seconds": found["seconds"], "process_mebibytes_max": found["mebibytes"]})  # fmt: skip
