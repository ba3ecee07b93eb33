"""Import of a million rows, in a process of its own so that its memory can be measured."""

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
from console.data.spreadsheets import ColumnReading, Spreadsheet

began = time.monotonic()
reading = ColumnReading(Spreadsheet("list.csv", Path(sys.argv[1])), 1, first_row=1)
reading.run()
scan, seconds = reading.scan, time.monotonic() - began
batches = [len(batch) for batch in reading.batches(100_000)]
print(json.dumps({"valid": scan.valid, "invalid": scan.invalid, "lines": [error.line for error in scan.errors],
                  "batches": batches, "seconds": round(seconds, 1),
                  "mebibytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)}))
"""


@pytest.mark.recorded
def test_a_million_rows_are_read_and_invalid_ones_listed(
    tmp_path: Path, keep: Callable[[str, Mapping[str, Any]], None]
) -> None:
    wrong = dict.fromkeys(range(ROWS // WRONG, ROWS + 1, ROWS // WRONG), "n/a")
    with (tmp_path / "list.csv").open("w") as out:
        out.write("name,phone\n")
        out.writelines(f"Customer {row},{wrong.get(row, f'2010{row:08}')}\n" for row in range(1, ROWS + 1))
    done = subprocess.run(
        [sys.executable, "-c", SCAN, str(tmp_path / "list.csv")], capture_output=True, text=True, check=True
    )
    report = json.loads(done.stdout)
    assert (report["valid"], report["invalid"]) == (ROWS - WRONG, WRONG)
    assert report["lines"] == [row + 1 for row in wrong][: len(report["lines"])]
    assert sum(report["batches"]) == ROWS - WRONG
    keep("import", {"rows": ROWS, "file_mebibytes": round((tmp_path / "list.csv").stat().st_size / 2**20),
                    "seconds": report["seconds"], "process_mebibytes_max": report["mebibytes"]})  # fmt: skip
