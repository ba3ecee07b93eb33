"""Turn: one look at the profiles that are due: which of them release, and when to look at the others again."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pacer.core.policy import OF_THE_RECIPIENT, UNTIL_ANSWERED, Decision, Facts, Head, Release, Rules, Wait, decide
from spreader.contract.bounds import Bound

PACKAGE_DAY_LIMIT = Bound.PACKAGE_DAY_LIMIT
LOOK_AGAIN = timedelta(minutes=5)  # factors change as time passes: no profile is left alone for longer than this


@dataclass(frozen=True, slots=True)
class Due:
    """A profile that is due for a look, with all that the policy asks; `heads`: the first of each part of its queue.

    The parts (by rank, and cold contacts apart) are there so that none of them has to be searched for what may go.
    """

    profile_id: str
    package_id: str
    rules: Rules
    facts: Facts
    heads: tuple[Head, ...]
    package_left: int | None = None
    """How many more the package may release today; None: it has no limit of its own."""


@dataclass(frozen=True, slots=True)
class Deferred:
    """A delivery that must wait for its recipient's sake: it makes room at the front of the queue until then."""

    delivery_id: str
    until: datetime
    bound: str


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of the look. `decision` is None where nothing waits, or where all that was looked at is deferred."""

    profile_id: str
    package_id: str
    head: Head | None
    decision: Decision | None
    look_at: datetime | None
    """When to look again; None: when something happens to it."""
    deferred: tuple[Deferred, ...] = ()

    @property
    def awaits_answer(self) -> bool:
        return isinstance(self.decision, Wait) and self.decision.until is None


@dataclass
class Taken:
    """What this very turn has taken from what the profiles of a package share."""

    at_gateway: dict[str, int]
    released: Counter[str] = field(default_factory=Counter[str])
    recipients: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])

    def facts(self, due: Due) -> Facts:
        at_gateway = self.at_gateway.get(due.package_id, 0)
        full = due.package_left is not None and self.released[due.package_id] >= due.package_left
        if not full and at_gateway == due.facts.at_gateway:
            return due.facts
        return replace(
            due.facts,
            at_gateway=at_gateway,
            # Filled in this very turn, it has room again when what filled it has been answered, and a day later.
            package_free={PACKAGE_DAY_LIMIT: UNTIL_ANSWERED, **due.facts.package_free}
            if full
            else due.facts.package_free,
        )

    def is_served(self, due: Due, head: Head) -> bool:
        """Whether its recipient gets something in this turn already: what that leaves is counted in the next."""
        return (due.package_id, head.recipient) in self.recipients

    def note(self, due: Due, head: Head) -> None:
        self.at_gateway[due.package_id] = self.at_gateway.get(due.package_id, 0) + 1
        self.released[due.package_id] += 1
        self.recipients.add((due.package_id, head.recipient))


def look(dues: Iterable[Due], at_gateway: Mapping[str, int], now: datetime) -> list[Looked]:
    """Decide for one profile after the other; a release takes from what its package has left for those after it."""
    taken = Taken(dict(at_gateway))
    return [_look(due, taken, now) for due in dues]


def _look(due: Due, taken: Taken, now: datetime) -> Looked:
    facts = taken.facts(due)
    best: tuple[Head, Decision] | None = None
    deferred: list[Deferred] = []
    passed_by = False
    for head in in_order(due.heads, now):
        if taken.is_served(due, head):
            passed_by = True
            continue
        decision = decide(due.rules, facts, head, now)
        # Only what is due steps aside: what waits for its own moment holds nobody up, and must not lose that moment.
        if isinstance(decision, Wait) and head.not_before <= now and (put_off := _put_off(head, decision, now)):
            deferred.append(put_off)
        elif isinstance(decision, Release):
            taken.note(due, head)
            best = (head, decision)
            break
        elif best is None or _sooner(decision, best[1]):
            best = (head, decision)
    head, decision = best or (None, None)
    # Behind those that stepped aside others may wait that were not looked at yet.
    look_at = now if deferred or passed_by else _look_at(decision, now)
    return Looked(due.profile_id, due.package_id, head, decision, look_at, tuple(deferred))


def in_order(heads: Iterable[Head], now: datetime) -> Sequence[Head]:
    """Those that may go by themselves by their rank; then the others by their moments."""
    several = tuple(heads)
    if len(several) < 2:
        return several
    return sorted(several, key=lambda head: (head.not_before > now, _order(head, now)))


def _order(head: Head, now: datetime) -> tuple[float, float]:
    moment = head.not_before.timestamp()
    return (moment, head.rank) if head.not_before > now else (head.rank, moment)


def _put_off(head: Head, decision: Wait, now: datetime) -> Deferred | None:
    """A delivery steps aside as far as its recipient asks; when that is not known, for a while."""
    own = {name: until or now + LOOK_AGAIN for name, until in decision.bounds.items() if name in OF_THE_RECIPIENT}
    if not own:
        return None
    bound = max(own, key=lambda name: own[name])
    return Deferred(head.delivery_id, own[bound], bound)


def _sooner(decision: Decision, other: Decision) -> bool:
    if not isinstance(decision, Wait) or not isinstance(other, Wait) or decision.until is None:
        return False
    return other.until is None or decision.until < other.until


def _look_at(decision: Decision | None, now: datetime) -> datetime | None:
    match decision:
        case None:
            return None
        case Release():
            return now  # at once: the next bound is known only with this release in the ledger
        case Wait(until=until):
            return now + LOOK_AGAIN if until is None else min(until, now + LOOK_AGAIN)
