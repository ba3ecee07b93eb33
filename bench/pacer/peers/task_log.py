"""Task log: how late each task of a peer began. The file has one line for each task of all workers."""

from datetime import datetime
from pathlib import Path

from spreader.clock import wall_now


def log_delay(file: str, due_at: str) -> None:
    late = (wall_now() - datetime.fromisoformat(due_at)).total_seconds() * 1e3
    with Path(file).open("a") as lines:
        lines.write(f"{late}\n")


def read_delays(file: Path) -> list[float]:
    return [float(line) for line in file.read_text().splitlines()] if file.exists() else []
