"""Noted: what the tasks of a peer write down: how late each began. A line a task, in a file of all workers."""

from datetime import datetime
from pathlib import Path

from spreader.clock import wall_now


def note(file: str, due_at: str) -> None:
    late = (wall_now() - datetime.fromisoformat(due_at)).total_seconds() * 1e3
    with Path(file).open("a") as notes:
        notes.write(f"{late}\n")


def noted(file: Path) -> list[float]:
    return [float(line) for line in file.read_text().splitlines()] if file.exists() else []
