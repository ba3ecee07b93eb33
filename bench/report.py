"""Report: the figures of a run and their machine, as a table for people and as JSON for programs."""

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from bench.child import TREE
from bench.figures import Figure
from spreader.clock import wall_now

RESULTS = Path(__file__).parent / "results"
HEADINGS = ("what", "ours", "bare", "ratio", "unit", "beside", "rounds' ratios")


@dataclass(frozen=True, slots=True)
class Machine:
    at: str
    cores: int
    processor: str
    load_before: float
    """The load average of the minute before the run: near 0 if the machine was idle."""
    python: str
    system: str
    commit: str

    @classmethod
    def this(cls) -> "Machine":
        return cls(
            at=wall_now().isoformat(timespec="seconds"),
            cores=os.cpu_count() or 0,
            processor=_processor(),
            load_before=round(os.getloadavg()[0], 2),
            python=platform.python_version(),
            system=f"{platform.system()} {platform.release()}",
            commit=_git("rev-parse", "--short", "HEAD") + (" and changes" if _git("status", "--porcelain") else ""),
        )

    @property
    def name(self) -> str:
        """The default name of a run."""
        return f"{datetime.fromisoformat(self.at):%Y-%m-%d-%H%M%S}"

    @property
    def line(self) -> str:
        return (
            f"{self.at}, {self.cores} cores ({self.processor}), Python {self.python}, {self.system}, "
            f"commit {self.commit}, load before {self.load_before}"
        )


def table(figures: Sequence[Figure]) -> list[str]:
    return rows_of_text([HEADINGS, *map(_row, figures)])


def rows_of_text(rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table. The first row contains the headings."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]


def keep(name: str, machine: Machine, seconds: float, figures: Sequence[Figure]) -> tuple[Path, Path]:
    """Write `<name>.json` and `<name>.md`."""
    RESULTS.mkdir(exist_ok=True)
    measured = [
        {
            **asdict(each),
            "rounds": [pair._asdict() for pair in each.rounds],
            "ours": each.ours,
            "bare": each.bare,
            "ratio": each.ratio,
        }
        for each in figures
    ]
    as_json, as_text = RESULTS / f"{name}.json", RESULTS / f"{name}.md"
    content = {"machine": asdict(machine), "seconds": round(seconds, 1), "figures": measured}
    as_json.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    of = f"{machine.line}, {seconds:.0f} s"
    notes = [f"- {each.what}: {each.note}" for each in figures if each.note]
    lines = [f"# Bench {name}", "", of, "", *table(figures), "", *notes, "", "How to read it: README.md."]
    as_text.write_text("\n".join(lines) + "\n")
    return as_json, as_text


def _row(figure: Figure) -> tuple[str, ...]:
    digits = 1 if figure.better == "less" else 0
    ratios = " ".join(f"{pair.ratio:.3g}" for pair in figure.rounds)
    return (
        figure.what,
        f"{figure.ours:,.{digits}f}",
        f"{figure.bare:,.{digits}f}",
        f"{figure.ratio:.3g}",
        f"{figure.unit}, {figure.better} is better",
        figure.beside,
        ratios,
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=TREE, capture_output=True, text=True, check=False)
    return done.stdout.strip()
