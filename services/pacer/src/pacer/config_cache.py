"""Config cache: the pacer's view of packages and profile states, and the rules that follow for each profile."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from pacer.core.policy import Margins, Rules
from pacer.core.rules_in_force import rules_in_force
from spreader.config_cache import CompactedTable, ConfigCache
from spreader.contract.bounds import Bound
from spreader.contract.configuration import Package, Profile
from spreader.contract.events import ProfileState
from spreader.contract.obstacles import obstacle, session_obstacle


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

    _profiles: dict[str, tuple[Package, Mapping[str, Profile]]] = field(default_factory=dict, init=False)
    """For each package: the configuration of the last call of `profile_of`, and its profiles by id."""

    def changes_rules(self, state: ProfileState) -> bool:
        """Whether this state changes the profile's rules or its ability to send. Many new states change only counts,
        which affect neither.

        Each call remembers the state that it got. The next call for this profile compares its own state with that one.
        """
        inputs = (state.open.state, state.limit_factor, session_obstacle(state))
        previous = self._inputs.get(state.profile_id)
        self._inputs[state.profile_id] = inputs
        return previous != inputs

    def can_send(self, state: ProfileState) -> bool:
        """Whether the profile can open conversations in this state."""
        package = self.package(state.package_id)
        profile = None if package is None else self.profile_of(package, state.profile_id)
        return package is not None and profile is not None and obstacle(package, profile, state, "open") is None

    def profile_of(self, package: Package, profile_id: str) -> Profile | None:
        """Like `Package.profile`, at a cost that does not grow with the number of profiles."""
        of_package, profiles = self._profiles.get(package.package_id, (None, {}))
        if of_package is not package:
            profiles = {profile.profile_id: profile for profile in package.profiles}
            self._profiles[package.package_id] = package, profiles
        return profiles.get(profile_id)

    def rules(self, package_id: str, profile_id: str, now: datetime) -> Rules | None:
        """The rules of a profile now. None: as far as the pacer knows, the package has no such profile."""
        package = self.package(package_id)
        profile = None if package is None else self.profile_of(package, profile_id)
        if package is None or profile is None:
            return None
        rules = rules_in_force(package, profile, self.state(profile_id), self.margins, now)
        return rules if self.stale_reason() is None else replace(rules, stopped=Bound.CONFIGURATION_STALE)

    def states_of(self, package: Package) -> dict[str, ProfileState | None]:
        return {profile_id: self.state(profile_id) for profile_id in package.profile_ids}

    def state(self, profile_id: str) -> ProfileState | None:
        return self.states.get(profile_id)
