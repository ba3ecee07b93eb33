"""Config cache: the pacer's view of packages and profile states, and the rules that follow for each profile."""

from dataclasses import dataclass, field
from datetime import datetime

from pacer.core.policy import Margins, Rules
from pacer.core.rules_in_force import rules_in_force
from spreader.config_cache import CompactedTable, ConfigCache
from spreader.contract.events import PackageConfigured, ProfileState


@dataclass(frozen=True)
class PacerConfigCache(ConfigCache):
    states: CompactedTable[ProfileState]
    margins: Margins
    _package_of: dict[str, str] = field(default_factory=dict[str, str], init=False)
    _rule_inputs: dict[str, tuple[str, float]] = field(default_factory=dict[str, tuple[str, float]], init=False)
    """For each profile, the part of its last state that its rules depend on."""

    def on_package(self, package_id: str, event: PackageConfigured | None) -> None:
        """A package was changed or deleted: update the index from profiles to packages."""
        for profile_id in [profile for profile, package in self._package_of.items() if package == package_id]:
            del self._package_of[profile_id]
        if event is not None:
            self._package_of.update(dict.fromkeys(event.package.profile_ids, package_id))

    def changes_rules(self, state: ProfileState) -> bool:
        """Whether the profile's rules differ from those under its previous state. Many new states change only counts,
        which the rules do not depend on.

        Each call stores the state for the comparison with the next one.
        """
        rule_inputs = (state.open.state, state.limit_factor)
        previous = self._rule_inputs.get(state.profile_id)
        self._rule_inputs[state.profile_id] = rule_inputs
        return previous != rule_inputs

    def rules(self, profile_id: str, now: datetime) -> Rules | None:
        """The rules of a profile now. None: no package has this profile."""
        package = self.package(self._package_of.get(profile_id, ""))
        profile = None if package is None else package.profile(profile_id)
        if package is None or profile is None:
            return None
        return rules_in_force(package, profile, self.state(profile_id), self.margins, now)

    def state(self, profile_id: str) -> ProfileState | None:
        return self.states.get(profile_id)
