"""Lane closures: closes and opens lanes of profiles within a transaction, and notes the changes."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from stats.core.closures import CLOSURE_RULES, Closure, Closures, Lift, Sign, close_lanes, lift_closures, since_added
from stats.core.condition import ProfileChange
from stats.counting.sql_changes import note_changes
from stats.counting.sql_closures import lock_closures, save_closures


@dataclass(frozen=True, slots=True)
class LaneClosures:
    same_holder: Callable[[str, datetime], frozenset[str]]
    """Returns the profiles that had the same holder as the given profile at the given time. The given profile is among
    them. The time is needed because old evidence may be read again. Such evidence does not concern a profile that
    joined the holder later."""
    added_at: Callable[[Collection[str]], Mapping[str, datetime]]
    """Returns when each of these profiles was added."""

    async def apply(
        self, connection: AsyncConnection, signs: Iterable[Sign], lifts: Iterable[Lift], now: datetime
    ) -> frozenset[str]:
        """Apply signs and lifts in the order of their times. Returns the profiles whose lanes changed."""
        evidence = [*self._signs_of_holders(signs), *self._lifts_of_holders(lifts)]
        if not evidence:
            return frozenset()
        profiles = {item.profile_id for item in evidence}
        known = dict(since_added(await lock_closures(connection, profiles), self.added_at(profiles)))
        changed: dict[tuple[str, str, str], Closure] = {}
        changes: list[tuple[str, ProfileChange]] = []
        for item in sorted(evidence, key=lambda item: (item.at, item.profile_id)):
            for closure in _closures_after(item, known):
                changes.append((closure.profile_id, _change(closure, is_opened=isinstance(item, Lift))))
                known[closure.key] = changed[closure.key] = closure
        await save_closures(connection, list(changed.values()))
        await note_changes(connection, changes, now)
        return frozenset(closure.profile_id for closure in changed.values())

    def _signs_of_holders(self, signs: Iterable[Sign]) -> list[Sign]:
        return [
            replace(sign, profile_id=profile, evidence=_evidence(sign, profile))
            for sign in signs
            for profile in self._concerned(sign)
        ]

    def _concerned(self, sign: Sign) -> frozenset[str]:
        same_holder = self.same_holder(sign.profile_id, sign.at)
        return same_holder if CLOSURE_RULES[sign.kind].of_holder else same_holder & {sign.profile_id}

    def _lifts_of_holders(self, lifts: Iterable[Lift]) -> list[Lift]:
        """The given lifts, and lifts for the other profiles of the same holder. The other profiles are lifted only from
        the kinds that concern the whole holder."""
        spread: list[Lift] = []
        for lift in lifts:
            spread.append(lift)
            shared = frozenset(kind for kind in lift.kinds if CLOSURE_RULES[kind].of_holder)
            others = (profile for profile in self.same_holder(lift.profile_id, lift.at) if profile != lift.profile_id)
            spread += [replace(lift, profile_id=profile, kinds=shared) for profile in others if shared]
        return spread


def _closures_after(item: Sign | Lift, known: Closures) -> Sequence[Closure]:
    return close_lanes(item, known) if isinstance(item, Sign) else lift_closures(item, known)


def _evidence(sign: Sign, profile: str) -> str:
    if profile == sign.profile_id:
        return sign.evidence
    return f"{sign.evidence} (said of {sign.profile_id}, which has the same holder)"


def _change(closure: Closure, *, is_opened: bool) -> ProfileChange:
    if is_opened:
        return ProfileChange(f"{closure.lane} lane", f"blocked: {closure.kind}", "ok", "it was said to work again")
    until = "until it works again" if closure.until is None else f"until {closure.until.isoformat(timespec='seconds')}"
    return ProfileChange(f"{closure.lane} lane", "ok", f"blocked {until}", f"{closure.kind}: {closure.evidence}")
