"""Report: the findings of a simulation as a page for people and as JSON for programs."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pacer.core.limits import quarter_of_day
from simulate.findings import Finding
from simulate.fleet import Fleet
from simulate.gaps import CALM, EVEN, RUSH
from simulate.study import WAIT_STEPS_A_DECADE, Study

HEADINGS = ("promise", "bounds", "profiles", "outside", "least", "median", "most", "holds")

PATTERN_HEADINGS = (
    "pattern", "profiles", "releases a day", "waited: half", "95 %", "fullest hour", "mean gap over/exactly/under 10",
)  # fmt: skip


def page(fleet: Fleet, studies: Sequence[Study], found: Sequence[Finding]) -> str:
    limits, releases = fleet.limits, sum(each.releases for each in studies)
    lines = [
        f"# {len(studies)} profiles, {fleet.days} days, pattern {fleet.pattern}, seed {fleet.seed}",
        "",
        f"Limits: {limits.per_hour} an hour, {limits.per_3_hours} in 3 hours, {limits.per_day} a day;",
        f"in any hour no more than a quarter of the day's, {quarter_of_day(limits)}.",
        "",
        f"{releases:,} releases. Each bound is asked of each profile alone; `outside` counts those that miss it;",
        "profiles with under 1,000 gaps of a kind (slow and fast: 200) are not judged by them.",
        "Measures: simulate/study.py, gaps.py, correlation.py.",
        "A gap that a limit made longer is a wait for it; such waits are asked for in lines of their own (why they",
        "may follow each other: docs/decisions/0019). Where limits hold over a tenth of the gaps, gaps and factors are",
        "not judged: what no limit made longer is then no fair sample.",
        "",
        *_table([HEADINGS, *map(_finding, found)]),
        "",
        "## By pattern",
        *_table([PATTERN_HEADINGS, *(_pattern(name, fleet.days, [each for each in studies if each.pattern == name])
                                     for name in dict.fromkeys(each.pattern for each in studies))]),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def numbers(fleet: Fleet, studies: Sequence[Study], found: Sequence[Finding]) -> str:
    """Of each profile what is one number; not its curves."""
    profiles = [
        {
            "profile": each.profile_id, "pattern": each.pattern, "spread": round(each.spread, 4),
            "releases": each.releases, "breaches": sum(each.breaches.values()), "in_rest": each.in_rest,
            "fullest_hour": round(each.fullest_hour, 4),
            "gaps": {queue: {name: value if value is None else round(value, 4) for name, value in asdict(of).items()}
                     for queue, of in each.gaps.items()},
            "tempo": {name: round(value, 4) for name, value in each.tempo.items()},
        }
        for each in studies
    ]  # fmt: skip
    whole = {
        "fleet": {**asdict(fleet), "limits": fleet.limits.model_dump()},
        "findings": [{**asdict(each), "holds": each.holds} for each in found],
    }
    rows = ",\n".join(json.dumps(each) for each in profiles)
    return json.dumps(whole, indent=1)[:-2] + f',\n "profiles": [\n{rows}\n]}}\n'


def keep(folder: Path, fleet: Fleet, studies: Sequence[Study], found: Sequence[Finding]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.md").write_text(page(fleet, studies, found))
    (folder / "numbers.json").write_text(numbers(fleet, studies, found))


def _finding(each: Finding) -> tuple[str, ...]:
    counted = each.low == each.high
    shown = [f"{value:.0f}" if counted else f"{value:.3f}" for value in (each.least, each.median, each.most)]
    bounds = f"{each.low:g}" if counted else f"{each.low:g} to {each.high:g}"
    holds = "not judged" if not each.profiles else "yes" if each.holds else "NO"
    return (each.promise, bounds, str(each.profiles), str(each.outside), *shown, holds)


def _pattern(name: str, days: int, studies: Sequence[Study]) -> tuple[str, ...]:
    waits = sum((each.waits for each in studies), Counter[int]())
    means = "/".join(_mean(queue, studies) for queue in (RUSH, EVEN, CALM))
    a_day = sum(each.releases for each in studies) / len(studies) / days
    fullest = max(each.fullest_hour for each in studies)
    return (
        name, str(len(studies)), f"{a_day:.1f}", _duration(waits, 0.5), _duration(waits, 0.95), f"{fullest:.3f}", means,
    )  # fmt: skip


def _mean(queue: str, studies: Sequence[Study]) -> str:
    chosen = [each.gaps[queue] for each in studies if queue in each.gaps]
    count = sum(each.count for each in chosen)
    return f"{sum(each.mean_seconds * each.count for each in chosen) / count:.0f} s" if count else "-"


def _duration(waits: Counter[int], share: float) -> str:
    """By the upper end of its step."""
    seen, total = 0, sum(waits.values())
    for step in sorted(waits):
        seen += waits[step]
        if seen >= share * total:
            seconds = 10 ** ((step + 1) / WAIT_STEPS_A_DECADE)
            return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3600:.1f} h"
    return "-"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]
