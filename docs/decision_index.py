"""Decision index: the records of docs/decisions as a table, by number and title."""

import re
from pathlib import Path

FOLDER = Path(__file__).parent / "decisions"


def table() -> str:
    """A row of Markdown for each record."""
    records = sorted(FOLDER.glob("[0-9]*.md"))
    return "\n".join(["| | decided |", "| --- | --- |", *map(_row, records)])


def _row(record: Path) -> str:
    heading = re.match(r"# (\d{4}) (.+)", record.read_text())
    if heading is None:
        raise LookupError(f"{record.name}: begin it with `# NNNN Title`")
    return f"| [{heading[1]}]({record.name}) | {heading[2]} |"
