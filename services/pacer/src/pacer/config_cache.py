"""Config cache: the pacer's view of packages and profile states, and the rules that follow for each profile."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from pacer.core.policy import Margins, Rules
from pacer.core.rules_in_force import rules_in_force
from spreader.config_cache import CompactedTable, ConfigCache
from spreader.contract.bounds import Bound
from spreader.contract.configuration import Package
from spreader.contract.events import ProfileState
from spreader.contract.obstacles import session_obstacle


def _always(_: str) -> bool:
    return True


def _never() -> None:
    return None


@dataclass(frozen=True)
class PacerConfigCache(ConfigCache):
    states: CompactedTable[ProfileState]
    margins: Margins
    is_confirmed: Callable[[str], bool] = _always
    """Whether this process has read the package from Kafka. If not, the pacer knows the package only from its own
    database schema, and other services may not know the package yet."""
    stale_reason: Callable[[], str | None] = _never
    """Why packages and states may be out of date; None when they are current."""
    _inputs: dict[str, tuple[object, ...]] = field(default_factory=dict[str, tuple[object, ...]], init=False)
    """For each profile: the parts of its last state that decide its rules and whether it can send."""

    def changes_rules(self, state: ProfileState) -> bool:
        """Whether this state changes the profile's rules or its ability to send. Many new states change only counts,
        which affect neither.

        Each call stores the state, and the next call compares its own state with it.
        """
        inputs = (state.open.state, state.limit_factor, session_obstacle(state))
        previous = self._inputs.get(state.profile_id)
        self._inputs[state.profile_id] = inputs
        return previous != inputs

    def rules(self, package_id: str, profile_id: str, now: datetime) -> Rules | None:
        """The rules of a profile now. None: as far as the pacer knows, the package has no such profile."""
        package = self.package(package_id)
        profile = None if package is None else package.profile(profile_id)
        if package is None or profile is None:
            return None
        rules = rules_in_force(package, profile, self.state(profile_id), self.margins, now)
        return rules if self.stale_reason() is None else replace(rules, stopped=Bound.CONFIGURATION_STALE)

    def states_of(self, package: Package) -> dict[str, ProfileState | None]:
        return {profile_id: self.state(profile_id) for profile_id in package.profile_ids}

    def state(self, profile_id: str) -> ProfileState | None:
        return self.states.get(profile_id)
