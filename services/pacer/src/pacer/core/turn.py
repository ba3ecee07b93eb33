"""Turn: one look at the profiles that are due: which of them release, and when to look at the others again."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pacer.core.policy import UNTIL_ANSWERED, Decision, Facts, Head, Release, Rules, Wait, decide

PACKAGE_DAY_LIMIT = "package day limit"
LOOK_AGAIN = timedelta(minutes=5)  # factors change as time passes: no profile is left alone for longer than this


@dataclass(frozen=True, slots=True)
class Due:
    """A profile that is due for a look, with all that the policy asks; `heads`: the first of each rank that waits."""

    profile_id: str
    package_id: str
    rules: Rules
    facts: Facts
    heads: tuple[Head, ...]
    package_left: int | None = None
    """How many more the package may release today; None: it has no limit of its own."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of the look. `decision` is None where nothing waits."""

    profile_id: str
    package_id: str
    head: Head | None
    decision: Decision | None
    look_at: datetime | None
    """When to look again; None: when something happens to it."""

    @property
    def awaits_answer(self) -> bool:
        return isinstance(self.decision, Wait) and self.decision.until is None


def look(dues: Iterable[Due], at_gateway: Mapping[str, int], now: datetime) -> list[Looked]:
    """Decide for one profile after the other; a release takes from what its package has left for those after it."""
    taken, released = dict(at_gateway), Counter[str]()
    looked: list[Looked] = []
    for due in dues:
        full = due.package_left is not None and released[due.package_id] >= due.package_left
        facts = replace(
            due.facts,
            at_gateway=taken.get(due.package_id, 0),
            # Filled in this very turn, it has room again when what filled it has been answered, and a day later.
            free={PACKAGE_DAY_LIMIT: UNTIL_ANSWERED, **due.facts.free} if full else due.facts.free,
        )
        head = first(due.heads, now)
        decision = None if head is None else decide(due.rules, facts, head, now)
        if isinstance(decision, Release):
            taken[due.package_id] = facts.at_gateway + 1
            released[due.package_id] += 1
        looked.append(Looked(due.profile_id, due.package_id, head, decision, _look_at(decision, now)))
    return looked


def first(heads: Iterable[Head], now: datetime) -> Head | None:
    """Of those that may go by themselves the one with the lowest rank; else the one that may go first."""
    return min(heads, key=lambda head: (head.not_before > now, _order(head, now)), default=None)


def _order(head: Head, now: datetime) -> tuple[float, float]:
    moment = head.not_before.timestamp()
    return (moment, head.rank) if head.not_before > now else (head.rank, moment)


def _look_at(decision: Decision | None, now: datetime) -> datetime | None:
    match decision:
        case None:
            return None
        case Release():
            return now  # at once: the next bound is known only with this release in the ledger
        case Wait(until=None):
            return now + LOOK_AGAIN
        case Wait(until=until):
            return min(until, now + LOOK_AGAIN) if until is not None else now + LOOK_AGAIN
