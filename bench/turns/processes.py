"""Processes: the processor time and the memory of a process and all that it has started, from `/proc`."""

import os
from collections import defaultdict
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
MEBIBYTE = 1024 * 1024


def tree_of(root: int) -> list[int]:
    """The ids of the process and of its descendants."""
    children = defaultdict[int, list[int]](list)
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (fields := _stat(int(folder.name))):
            children[int(fields[1])].append(int(folder.name))
    found = [root]
    for pid in found:
        found.extend(children[pid])
    return found


def processor_seconds(root: int) -> float:
    """Processor time so far of the processes that run, and of those that have ended and were waited for."""
    ticks = 0
    for pid in tree_of(root):
        ticks += sum(map(int, _stat(pid)[11:15]))
    return ticks / TICKS_PER_SECOND


def resident_mebibytes(pid: int) -> float:
    fields = _stat(pid)
    return int(fields[21]) * PAGE_BYTES / MEBIBYTE if fields else 0.0


def _stat(pid: int) -> list[str]:
    """The fields of `/proc/<pid>/stat` from the third on (proc(5)); zeros for a process that has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ["0"] * 50
    return text.rpartition(")")[2].split()
