"""Plot: gaps, hours, days, waiting times and the measures of each profile, in one picture."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simulate.findings import AUTOCORRELATION, VARIATION
from simulate.fleet import Fleet
from simulate.study import GAP_STEP_SECONDS, QUEUES, TEMPO_STEP, WAIT_STEPS_A_DECADE, Study

DOTS_PER_INCH = 68


def draw(file: Path, fleet: Fleet, studies: Sequence[Study]) -> None:
    with mpl.rc_context({"font.size": 8}):
        figure = Figure(figsize=(15, 12), layout="constrained")
        panels: list[Axes] = list(figure.subplots(3, 3).flat)
        _gaps(panels[0], studies)
        _sample(panels[1], studies)
        _scatter(panels[2], studies)
        _hours(panels[3], studies)
        _days(panels[4], fleet, studies)
        _waits(panels[5], studies)
        _tempo(panels[6], studies)
        _queues(panels[7], studies)
        _fullest(panels[8], studies)
        figure.savefig(file, dpi=DOTS_PER_INCH)


def _titled(axes: Axes, title: str, across: str, upward: str) -> None:
    axes.set_title(title)
    axes.set_xlabel(across)
    axes.set_ylabel(upward)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=7)


def _by_pattern(studies: Sequence[Study]) -> dict[str, list[Study]]:
    patterns: dict[str, list[Study]] = {}
    for study in studies:
        patterns.setdefault(study.pattern, []).append(study)
    return patterns


def _gaps(axes: Axes, studies: Sequence[Study]) -> None:
    for queue in QUEUES:
        counts = sum((study.gap_counts[queue] for study in studies), Counter[int]())
        total = sum(counts.values())
        if total:
            steps = [step for step in range(max(counts) + 1) if step * GAP_STEP_SECONDS < 2_400]
            minutes = [(step + 0.5) * GAP_STEP_SECONDS / 60 for step in steps]
            axes.plot(minutes, [counts[step] / total for step in steps], label=f"{queue} 10 wait")
    _titled(axes, "gaps of all profiles", "minutes", "share of gaps, by half minute")


def _sample(axes: Axes, studies: Sequence[Study]) -> None:
    for pattern, members in _by_pattern(studies).items():
        axes.scatter(*_columns(members[0].sample, 60), s=3, label=pattern)
    axes.set_ylim(0, 45)
    _titled(axes, "gaps of one profile of each pattern, a fortnight", "day", "minutes")


def _columns(points: Sequence[tuple[float, float]], unit: float) -> tuple[list[float], list[float]]:
    return [one for one, _ in points], [other / unit for _, other in points]


def _scatter(axes: Axes, studies: Sequence[Study]) -> None:
    for queue in QUEUES:
        chosen = [study.gaps[queue] for study in studies if queue in study.gaps and study.gaps[queue].count >= 1_000]
        shown = [(study.variation, study.autocorrelation) for study in chosen if study.autocorrelation is not None]
        dots = axes.scatter(*_columns(shown, 1), s=8, label=f"{queue} 10")
        whole = [(study.variation, study.with_limits) for study in chosen]
        label = f"{queue} 10, with waits for limits"
        axes.scatter(*_columns(whole, 1), s=14, marker="+", color=dots.get_facecolor(), label=label)
    for bound in VARIATION:
        axes.axvline(bound, color="grey", linestyle=":")
    for bound in AUTOCORRELATION:
        axes.axhline(bound, color="grey", linestyle=":")
    axes.set_xlim(0.1, 0.65)
    _titled(axes, "each profile, and the bounds (dotted)", "coefficient of variation of gaps", "lag-1 autocorrelation")


def _hours(axes: Axes, studies: Sequence[Study]) -> None:
    for pattern, members in _by_pattern(studies).items():
        counts = sum((study.hours for study in members), Counter[int]())
        total = sum(counts.values()) or 1
        axes.plot(range(24), [counts[hour] / total for hour in range(24)], marker=".", label=pattern)
    _titled(axes, "hours (rest from 1 to 5, staggered)", "hour of the package's wall clock", "share of releases")


def _days(axes: Axes, fleet: Fleet, studies: Sequence[Study]) -> None:
    shown = range(fleet.days)
    for pattern, members in _by_pattern(studies).items():
        counts = sum((study.days for study in members), Counter[int]())
        axes.plot(shown, [counts[day] / len(members) for day in shown], linewidth=0.7, label=pattern)
    _titled(axes, f"days (limit: {fleet.limits.per_day} in any 24 hours)", "day", "releases of a profile")


def _waits(axes: Axes, studies: Sequence[Study]) -> None:
    for pattern, members in _by_pattern(studies).items():
        counts = sum((study.waits for study in members), Counter[int]())
        total, seen = sum(counts.values()) or 1, 0
        steps, shares = sorted(counts), list[float]()
        for step in steps:
            seen += counts[step]
            shares.append(seen / total)
        axes.plot([10 ** ((step + 1) / WAIT_STEPS_A_DECADE) / 3600 for step in steps], shares, label=pattern)
    axes.set_xscale("log")
    _titled(axes, "waiting times", "hours at most", "share of deliveries")


def _tempo(axes: Axes, studies: Sequence[Study]) -> None:
    steps = sorted({step for study in studies for step in study.tempo_sums if step * TEMPO_STEP < 3})
    points: list[tuple[float, float]] = []
    for step in steps:
        sums = [study.tempo_sums[step] for study in studies if step in study.tempo_sums]
        points.append(((step + 0.5) * TEMPO_STEP, sum(total for _, total in sums) / sum(many for many, _ in sums)))
    axes.plot(*_columns(points, 1), marker=".")
    axes.axhline(1, color="grey", linestyle=":")
    _titled(
        axes,
        "what the last two hours make of a gap",
        "releases / expected releases, in these two hours",
        "gap / (base x pressure)",
    )


def _queues(axes: Axes, studies: Sequence[Study]) -> None:
    shown = [queue for queue in QUEUES if any(queue in study.gaps for study in studies)]
    factors = [
        [factor for study in studies if queue in study.gaps and (factor := study.gaps[queue].pressure) is not None]
        for queue in shown
    ]
    axes.boxplot(factors)
    axes.set_xticks(range(1, len(shown) + 1), [f"{queue} 10" for queue in shown])
    for factor in (0.5, 1, 2):
        axes.axhline(factor, color="grey", linestyle=":")
    _titled(axes, "what the queue makes of a gap, each profile", "", "gap / (base x tempo)")


def _fullest(axes: Axes, studies: Sequence[Study]) -> None:
    patterns = _by_pattern(studies)
    axes.boxplot([[study.fullest_hour for study in members] for members in patterns.values()])
    axes.set_xticks(range(1, len(patterns) + 1), list(patterns))
    axes.axhline(0.25, color="grey", linestyle=":")
    _titled(axes, "fullest hour after an idle night", "", "share of the day's limit")
