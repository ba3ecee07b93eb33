"""Command: `python -m simulate` simulates years of a fleet and writes a report, numbers and a picture."""

import argparse
import sys
import time
from pathlib import Path

from simulate.arrivals import PATTERNS
from simulate.findings import judge
from simulate.fleet import DEFAULTS, Fleet
from simulate.report import page, write
from simulate.study import Study
from simulate.workers import study_packages
from spreader.contract.configuration import ProfileLimits

OUT = Path(__file__).parents[1] / ".spreader" / "years"


def run(fleet: Fleet, workers: int) -> list[Study]:
    began, done = time.monotonic(), list[Study]()
    for number, fresh in enumerate(study_packages(fleet, workers)):
        done += fresh
        releases, seconds = sum(study.releases for study in done), time.monotonic() - began
        print(
            f"{seconds:7.1f} s  package {number + 1} of {fleet.packages} ({fleet.pattern_of(number)}): "
            f"{releases:,} releases, {seconds / max(releases, 1) * 1e6:.0f} µs each",
            file=sys.stderr,
            flush=True,
        )
    return done


def _limits(text: str) -> ProfileLimits:
    hour, three_hours, day = text.split("/")
    return ProfileLimits(per_hour=int(hour), per_3_hours=int(three_hours), per_day=int(day))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m simulate")
    parser.add_argument("--profiles", type=int, default=24, help="four to a package (default: 24)")
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--pattern", choices=["all", *PATTERNS], default="all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--spread", type=float, help="the operator's spread, 0.2 to 0.6 (default: by the package's id)")
    parser.add_argument("--limits", type=_limits, default=DEFAULTS, help="hour/3 hours/day (default: 20/50/120)")
    parser.add_argument("--gap-max", type=int, help="the operator's largest gap in seconds (default: by the limits)")
    parser.add_argument("--workers", type=int, default=1, help="processes; the result is the same for any number")
    parser.add_argument("--out", type=Path, default=OUT, help="a folder (default: .spreader/years)")
    options = parser.parse_args()
    fleet = Fleet(
        options.profiles, options.days, options.pattern, options.seed, options.spread, options.limits, options.gap_max
    )
    done = run(fleet, options.workers)
    findings = judge(done)
    write(options.out, fleet, done, findings)
    from simulate.plot import draw  # needs matplotlib

    draw(options.out / "years.png", fleet, done)
    print(page(fleet, done, findings))
    print(f"written to {options.out}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
