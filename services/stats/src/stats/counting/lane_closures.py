"""Lanes: closes and opens the lanes of profiles in one transaction, with what tells of it."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from stats.core.closures import CLOSURE_RULES, Closure, Closures, Lift, Sign, close_lanes, lift_closures
from stats.core.condition import ProfileChange
from stats.counting.sql_changes import note_changes
from stats.counting.sql_closures import closures, save_closures

Fellows = Callable[[str], Collection[str]]
"""The profiles that stand or fall together with one, itself among them."""


@dataclass(frozen=True, slots=True)
class LaneClosures:
    fellows: Fellows

    async def take(
        self, connection: AsyncConnection, signs: Iterable[Sign], lifts: Iterable[Lift], now: datetime
    ) -> frozenset[str]:
        """Close and open, in the order in which it happened; answers whose lanes changed."""
        spread = [*self._closing(signs), *self._opening(lifts)]
        if not spread:
            return frozenset()
        known = dict(await closures(connection, {each.profile_id for each in spread}))
        changed: dict[tuple[str, str, str], Closure] = {}
        changes: list[tuple[str, ProfileChange]] = []
        for each in sorted(spread, key=lambda each: (each.at, each.profile_id)):
            for closure in _step(each, known):
                changes.append((closure.profile_id, _change(closure, is_opened=isinstance(each, Lift))))
                known[closure.key] = changed[closure.key] = closure
        await save_closures(connection, list(changed.values()))
        await note_changes(connection, changes, now)
        return frozenset(closure.profile_id for closure in changed.values())

    def _closing(self, signs: Iterable[Sign]) -> list[Sign]:
        return [
            Sign(profile, sign.kind, sign.lanes, sign.at, _of(sign, profile), sign.until, sign.code)
            for sign in signs
            for profile in (self.fellows(sign.profile_id) if CLOSURE_RULES[sign.kind].of_holder else (sign.profile_id,))
        ]

    def _opening(self, lifts: Iterable[Lift]) -> list[Lift]:
        """What one profile's gateway says of the holder is true for all; of the profile itself, for it alone."""
        found: list[Lift] = []
        for each in lifts:
            found.append(each)
            shared = frozenset(kind for kind in each.kinds if CLOSURE_RULES[kind].of_holder)
            others = (profile for profile in self.fellows(each.profile_id) if profile != each.profile_id)
            found += [Lift(profile, each.at, shared, each.endless_only, each.lanes) for profile in others if shared]
        return found


def _step(each: Sign | Lift, known: Closures) -> Sequence[Closure]:
    return close_lanes(each, known) if isinstance(each, Sign) else lift_closures(each, known)


def _of(sign: Sign, profile: str) -> str:
    if profile == sign.profile_id:
        return sign.evidence
    return f"{sign.evidence} (said of {sign.profile_id}, which has the same holder)"


def _change(closure: Closure, *, is_opened: bool) -> ProfileChange:
    if is_opened:
        return ProfileChange(f"{closure.lane} lane", f"blocked: {closure.kind}", "ok", "it was said to work again")
    until = "until it works again" if closure.until is None else f"until {closure.until.isoformat(timespec='seconds')}"
    return ProfileChange(f"{closure.lane} lane", "ok", f"blocked {until}", f"{closure.kind}: {closure.evidence}")
