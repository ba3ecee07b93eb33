"""Command: `python -m simulate` runs years of profiles through the policy and keeps a report, numbers and a picture."""

import argparse
import sys
import time
from pathlib import Path

from simulate.arrivals import PATTERNS
from simulate.crew import studies
from simulate.findings import findings
from simulate.fleet import DEFAULTS, Fleet
from simulate.report import keep, page
from simulate.study import Study
from spreader.contract.configuration import ProfileLimits

OUT = Path(__file__).parents[1] / ".spreader" / "years"


def run(fleet: Fleet, workers: int) -> list[Study]:
    began, done = time.monotonic(), list[Study]()
    for number, fresh in enumerate(studies(fleet, workers)):
        done += fresh
        releases, seconds = sum(each.releases for each in done), time.monotonic() - began
        print(
            f"{seconds:7.1f} s  package {number + 1} of {fleet.packages} ({fleet.pattern_of(number)}): "
            f"{releases:,} releases, {seconds / max(releases, 1) * 1e6:.0f} µs each",
            file=sys.stderr, flush=True,
        )  # fmt: skip
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
    parser.add_argument("--spread", type=float, help="the operator's own, 0.2 to 0.6 (default: by the package's id)")
    parser.add_argument("--limits", type=_limits, default=DEFAULTS, help="hour/3 hours/day (default: 20/50/120)")
    parser.add_argument("--gap-max", type=int, help="seconds: the operator's own (default: it follows from the limits)")
    parser.add_argument("--workers", type=int, default=1, help="processes; the result is the same for any number")
    parser.add_argument("--out", type=Path, default=OUT, help="a folder (default: .spreader/years)")
    asked = parser.parse_args()
    fleet = Fleet(asked.profiles, asked.days, asked.pattern, asked.seed, asked.spread, asked.limits, asked.gap_max)
    done = run(fleet, asked.workers)
    found = findings(done)
    keep(asked.out, fleet, done, found)
    from simulate.plot import draw  # drawing needs matplotlib, which only this command does

    draw(asked.out / "years.png", done, fleet.days)
    print(page(fleet, done, found))
    print(f"kept in {asked.out}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
