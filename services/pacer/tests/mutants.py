"""`python services/pacer/tests/mutants.py` proves that the laws can fail.

It breaks a copy of the policy in each way that they name, and asks whether the law notices. Names of mutants may be
given; else all are tried, some seconds each.
"""

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree

TESTS = Path(__file__).parent
ROOT = TESTS.parents[2]
PACKAGE = TESTS.parent / "src" / "pacer"
SECONDS_MAX = 240

WINDOWS = "test_no_window_of_a_profile_ever_holds_more_than_its_limit"
QUARTERS = "test_no_hour_holds_more_than_a_quarter_of_the_days_limit"
CONTACTS = "test_no_window_of_first_words_ever_holds_more_than_its_limit"
PACKAGES = "test_a_package_never_releases_more_in_a_day_than_its_limit"
RECIPIENTS = "test_a_recipient_never_gets_more_in_a_day_than_the_limit"
RESTS = "test_nothing_is_released_in_a_rest_or_outside_the_windows_of_work"
QUIET = "test_nobody_is_written_to_in_the_quiet_hours"
MOMENTS = "test_no_delivery_goes_before_its_own_moment"
ONCE = "test_each_delivery_goes_once_and_none_is_lost"


@dataclass(frozen=True)
class Mutant:
    """One way to break a module of the core, and the law that must notice."""

    name: str
    module: str
    text: str
    instead: str
    law: str


MUTANTS = [
    Mutant("limit one too large", "limits", "Limit(name, window, most)", "Limit(name, window, most + 1)", WINDOWS),
    Mutant("window too short", "limits", "timedelta(hours=1), ", "timedelta(minutes=50), ", WINDOWS),
    Mutant("limits left out", "policy", "in facts.free.items()", "in ()", WINDOWS),
    Mutant("dated early", "course", "self.releases.append(now)", "self.releases.append(now - SOONEST * 6e7)", WINDOWS),
    Mutant("quarter left out", "limits", "min(limits.per_hour, quarter_of_day(limits))", "limits.per_hour", QUARTERS),
    Mutant("quarter rounded up", "limits", "limits.per_day // 4", "-(-limits.per_day // 4)", QUARTERS),
    Mutant("contacts not counted", "course", "        if head.cold:\n", "        if not head:\n", CONTACTS),
    Mutant("contacts left out", "policy", "**facts.contacts_free", "**{}", CONTACTS),
    Mutant("package not counted", "course", "insort(self.releases, self.now)", "insort([], self.now)", PACKAGES),
    Mutant("package's bound left out", "policy", "bounds |= facts.package_free", "bounds |= {}", PACKAGES),
    Mutant("recipient not counted", "course", "        if head.recipient:\n", "        if not head:\n", RECIPIENTS),
    Mutant("recipient's bound left out", "policy", "bounds |= head.bounds", "bounds |= {}", RECIPIENTS),
    Mutant(
        "rest ignored", "policy", "rules.hours.next_active(earliest, rules.margins.release, waking)", "earliest", RESTS
    ),
    Mutant("rest by the plain day", "hours", "tzinfo=ZoneInfo(timezone)", "tzinfo=UTC", RESTS),
    Mutant(
        "rest without its offset", "hours", "_at(start, timezone, day) + offset", "_at(start, timezone, day)", RESTS
    ),
    Mutant("windows of work ignored", "hours", "[*rests, *_out_of_work(windows, timezone, days)]", "rests", RESTS),
    Mutant("quiet hours ignored", "policy", "    if quiet is not None:\n", "    if quiet and not quiet:\n", QUIET),
    Mutant("quiet hours by UTC", "recipient", "    zone = zone_of(recipient)\n", "    zone = UTC\n", QUIET),
    Mutant("delivery's moment ignored", "policy", '{"delivery": head.not_before}', "{}", MOMENTS),
    Mutant("scheduled ones step aside", "turn", "and head.not_before <= now and (", "and (", ONCE),
    Mutant("put off and forgotten", "line", "        self.add([replace(head, not_before=until)])\n", "", ONCE),
    Mutant(
        "taken and kept", "line", "heapq.heappop(self._due[_part(head)])", "heapq.heapify(self._due[_part(head)])", ONCE
    ),
]


def survives(mutant: Mutant) -> bool:
    """Whether its law passes on it. A text that is not there once is an error: the mutant is out of date."""
    with tempfile.TemporaryDirectory() as folder:
        broken = Path(folder) / "pacer"
        copytree(PACKAGE, broken)
        module = broken / "core" / f"{mutant.module}.py"
        source = module.read_text()
        if source.count(mutant.text) != 1:
            raise SystemExit(
                f"{mutant.name}: {mutant.text!r} is in {mutant.module}.py {source.count(mutant.text)} times"
            )
        module.write_text(source.replace(mutant.text, mutant.instead))
        law = f"{TESTS / 'test_pacer_laws.py'}::{mutant.law}"
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", law],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": folder, "SPREADER_LAWS": "first failure"},
            capture_output=True, text=True, timeout=SECONDS_MAX, check=False,
        )  # fmt: skip
    if ended.returncode not in (0, 1):
        raise SystemExit(f"{mutant.name}: the law did not run\n{ended.stdout[-2000:]}{ended.stderr[-500:]}")
    return ended.returncode == 0


def main() -> int:
    chosen = [mutant for mutant in MUTANTS if not sys.argv[1:] or mutant.name in sys.argv[1:]]
    alive = 0
    for mutant in chosen:
        lives = survives(mutant)
        alive += lives
        print(f"{'SURVIVES' if lives else 'killed':9} {mutant.name} ({mutant.law})", flush=True)
    print(f"{len(chosen) - alive} of {len(chosen)} killed")
    return alive > 0


if __name__ == "__main__":
    sys.exit(main())
