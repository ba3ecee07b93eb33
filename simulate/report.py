"""Report: the findings of a simulation, as a page and as JSON."""

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
    "pattern",
    "profiles",
    "releases a day",
    "waited: half",
    "95 %",
    "fullest hour",
    "mean gap over/exactly/under 10",
)


def page(fleet: Fleet, studies: Sequence[Study], findings: Sequence[Finding]) -> str:
    limits, releases = fleet.limits, sum(study.releases for study in studies)
    lines = [
        f"# {len(studies)} profiles, {fleet.days} days, pattern {fleet.pattern}, seed {fleet.seed}",
        "",
        f"Limits: {limits.per_hour} an hour, {limits.per_3_hours} in 3 hours, {limits.per_day} a day;",
        f"in any hour no more than a quarter of the day's, {quarter_of_day(limits)}.",
        "",
        f"{releases:,} releases. Each bound is checked for each profile alone; `outside` counts profiles outside it.",
        "Profiles with under 1,000 gaps of a kind (slow and fast: 200) are not judged by them.",
        "Measures: simulate/study.py, gaps.py, correlation.py.",
        "A gap that a limit made longer is a wait for the limit; lines of their own include such waits (why they",
        "may follow each other: docs/decisions/0019). If limits made over a tenth of the gaps longer, gaps and factors",
        "are not judged, since the rest is not a fair sample.",
        "",
        *_table([HEADINGS, *map(_finding, findings)]),
        "",
        "## By pattern",
        *_table(
            [
                PATTERN_HEADINGS,
                *(
                    _pattern(name, fleet.days, [study for study in studies if study.pattern == name])
                    for name in dict.fromkeys(study.pattern for study in studies)
                ),
            ]
        ),
    ]
    return "\n".join(lines) + "\n"


def numbers(fleet: Fleet, studies: Sequence[Study], findings: Sequence[Finding]) -> str:
    """JSON with the findings and the single numbers of each profile, without the curves."""
    profiles = [
        {
            "profile": study.profile_id,
            "pattern": study.pattern,
            "spread": round(study.spread, 4),
            "releases": study.releases,
            "breaches": sum(study.breaches.values()),
            "in_rest": study.in_rest,
            "fullest_hour": round(study.fullest_hour, 4),
            "gaps": {
                queue: {name: value if value is None else round(value, 4) for name, value in asdict(of).items()}
                for queue, of in study.gaps.items()
            },
            "tempo": {name: round(value, 4) for name, value in study.tempo.items()},
        }
        for study in studies
    ]
    whole = {
        "fleet": {**asdict(fleet), "limits": fleet.limits.model_dump()},
        "findings": [{**asdict(finding), "holds": finding.holds} for finding in findings],
    }
    rows = ",\n".join(json.dumps(profile) for profile in profiles)
    return json.dumps(whole, indent=1)[:-2] + f',\n "profiles": [\n{rows}\n]}}\n'


def write(folder: Path, fleet: Fleet, studies: Sequence[Study], findings: Sequence[Finding]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.md").write_text(page(fleet, studies, findings))
    (folder / "numbers.json").write_text(numbers(fleet, studies, findings))


def _finding(finding: Finding) -> tuple[str, ...]:
    counted = finding.low == finding.high
    shown = [f"{value:.0f}" if counted else f"{value:.3f}" for value in (finding.least, finding.median, finding.most)]
    bounds = f"{finding.low:g}" if counted else f"{finding.low:g} to {finding.high:g}"
    holds = "not judged" if not finding.profiles else "yes" if finding.holds else "NO"
    return (finding.promise, bounds, str(finding.profiles), str(finding.outside), *shown, holds)


def _pattern(name: str, days: int, studies: Sequence[Study]) -> tuple[str, ...]:
    waits = sum((study.waits for study in studies), Counter[int]())
    means = "/".join(_mean(queue, studies) for queue in (RUSH, EVEN, CALM))
    a_day = sum(study.releases for study in studies) / len(studies) / days
    fullest = max(study.fullest_hour for study in studies)
    return (
        name,
        str(len(studies)),
        f"{a_day:.1f}",
        _duration(waits, 0.5),
        _duration(waits, 0.95),
        f"{fullest:.3f}",
        means,
    )


def _mean(queue: str, studies: Sequence[Study]) -> str:
    chosen = [study.gaps[queue] for study in studies if queue in study.gaps]
    count = sum(gaps.count for gaps in chosen)
    return f"{sum(gaps.mean_seconds * gaps.count for gaps in chosen) / count:.0f} s" if count else "-"


def _duration(waits: Counter[int], share: float) -> str:
    """The waiting time that this share of all deliveries did not exceed, rounded up to the end of its step."""
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
