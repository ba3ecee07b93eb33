"""Substitute: the profile that sends the replies to a customer while the conversation's profile cannot send."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from router.core.candidates import Candidates
from spreader.contract.events import ProfileState
from spreader.contract.ids import ProfileId


@dataclass
class SubstituteTurns:
    """Chooses a substitute for one customer after the other. Each time it takes the profile whose last turn is longest
    ago.

    So when a profile can send again, it does not get a larger share of the customers than the others. The turns are
    kept in the memory of each process, so each process spreads its own customers.
    """

    _turns: dict[str, int] = field(default_factory=dict[str, int], init=False)
    """The number of the last turn of each profile."""
    _count: int = field(default=0, init=False)

    def next(self, candidates: Candidates, states: Mapping[str, ProfileState]) -> ProfileId:
        """The profile whose turn is next. There must be an eligible profile. Of those without a turn so far, the
        calmest one comes first."""
        earliest = min(self._turns.get(profile, 0) for profile in candidates.eligible)
        waiting = tuple(profile for profile in candidates.eligible if self._turns.get(profile, 0) == earliest)
        chosen = Candidates(waiting).calmest(states)
        self._count += 1
        self._turns[chosen] = self._count
        return chosen


def substitute(
    candidates: Candidates,
    states: Mapping[str, ProfileState],
    remembered: str | None,
    turns: SubstituteTurns,
) -> ProfileId:
    """The profile that answered the customer before, if it can send. Otherwise the profile whose turn is next."""
    if remembered is not None and remembered in candidates.eligible:
        return ProfileId(remembered)
    return turns.next(candidates, states)
