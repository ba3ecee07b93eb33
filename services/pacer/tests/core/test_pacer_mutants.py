"""Mutants: proof that the laws can fail. Each mutant breaks a copy of the policy, and the law that names it must fail.

They take a minute, so `make record` has them; alone:
`.venv/bin/python -m pytest --record services/pacer/tests/core/test_pacer_mutants.py`.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

LAWS = Path(__file__).parent / "test_pacer_laws.py"
ROOT = LAWS.parents[4]
PACKAGE = LAWS.parents[2] / "src" / "pacer"
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
    """A change to one line of the core, and the law that must fail."""

    name: str
    module: str
    text: str
    instead: str
    law: str


MUTANTS = [
    Mutant("limit one too large", "limits", "Limit(bound, window, most)", "Limit(bound, window, most + 1)", WINDOWS),
    Mutant("window too short", "limits", "timedelta(hours=1), ", "timedelta(minutes=50), ", WINDOWS),
    Mutant("limits left out", "policy", "in full_until.items()", "in ()", WINDOWS),
    Mutant(
        "dated early", "simulation", "self.releases.append(now)", "self.releases.append(now - STEP_MIN * 6e7)", WINDOWS
    ),
    Mutant("quarter left out", "limits", "min(limits.per_hour, quarter_of_day(limits))", "limits.per_hour", QUARTERS),
    Mutant("quarter rounded up", "limits", "limits.per_day // 4", "-(-limits.per_day // 4)", QUARTERS),
    Mutant("contacts not counted", "simulation", "        if delivery.cold:\n", "        if not delivery:\n", CONTACTS),
    Mutant("contacts left out", "policy", "**facts.contacts_full_until", "**{}", CONTACTS),
    Mutant("package not counted", "simulation", "insort(self.releases, self.now)", "insort([], self.now)", PACKAGES),
    Mutant("package's bound left out", "policy", "bounds |= facts.package_full_until", "bounds |= {}", PACKAGES),
    Mutant(
        "recipient not counted",
        "simulation",
        "        if delivery.recipient:\n",
        "        if not delivery:\n",
        RECIPIENTS,
    ),
    Mutant("recipient's bound left out", "policy", "bounds |= delivery.bounds", "bounds |= {}", RECIPIENTS),
    Mutant(
        "rest ignored",
        "policy",
        "rules.hours.next_active(earliest, rules.margins.release, start_delay)",
        "earliest",
        RESTS,
    ),
    Mutant("rest by the plain day", "hours", "tzinfo=ZoneInfo(timezone)", "tzinfo=UTC", RESTS),
    Mutant(
        "rest without its offset", "hours", "_at(start, timezone, day) + offset", "_at(start, timezone, day)", RESTS
    ),
    Mutant("windows of work ignored", "hours", "[*rests, *_between_windows(windows, timezone, days)]", "rests", RESTS),
    Mutant("quiet hours ignored", "policy", "    if quiet is not None:\n", "    if quiet and not quiet:\n", QUIET),
    Mutant(
        "quiet hours by UTC",
        "recipient_hours",
        "zone_of(recipient) if recipient else ZoneInfo(default_zone)",
        "UTC",
        QUIET,
    ),
    Mutant("delivery's moment ignored", "policy", "{Bound.DELIVERY: delivery.not_before}", "{}", MOMENTS),
    Mutant("scheduled ones step aside", "release_pass", "and head.not_before <= now and (", "and (", ONCE),
    Mutant("put off and forgotten", "memory_queue", "        self.add([replace(head, not_before=until)])\n", "", ONCE),
    Mutant(
        "taken and kept",
        "memory_queue",
        "heapq.heappop(self._due[_part(head)])",
        "heapq.heapify(self._due[_part(head)])",
        ONCE,
    ),
]


def survives(mutant: Mutant) -> bool:
    """Whether its law passes. Raises AssertionError if the text is not in the module exactly once."""
    with tempfile.TemporaryDirectory() as folder:
        broken = Path(folder) / "pacer"
        copytree(PACKAGE, broken)
        module = broken / "core" / f"{mutant.module}.py"
        source = module.read_text()
        if source.count(mutant.text) != 1:
            raise AssertionError(
                f"{mutant.name}: {mutant.text!r} is in {mutant.module}.py {source.count(mutant.text)} times"
            )
        module.write_text(source.replace(mutant.text, mutant.instead))
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", f"{LAWS}::{mutant.law}"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": folder, "SPREADER_LAWS": "first failure"},
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
    if ended.returncode not in (0, 1):
        raise AssertionError(f"{mutant.name}: the law did not run\n{ended.stdout[-2000:]}{ended.stderr[-500:]}")
    return ended.returncode == 0


@pytest.mark.recorded
@pytest.mark.timeout(1_200)
def test_every_mutant_is_killed_by_the_law_that_names_it(keep: Callable[[str, Mapping[str, Any]], None]) -> None:
    killed: dict[str, list[str]] = {}
    for mutant in MUTANTS:
        assert not survives(mutant), f"{mutant.law} passes although: {mutant.name}"
        killed.setdefault(mutant.law, []).append(mutant.name)
    keep("mutants", {"laws": LAWS.name, "killed": killed})
