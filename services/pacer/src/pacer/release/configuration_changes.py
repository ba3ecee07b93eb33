"""Configuration changes: what the pacer does when a package or the state of a profile changes."""

from collections.abc import Callable
from dataclasses import dataclass

from pacer.config_cache import PacerConfigCache
from pacer.intake.consent_enforcer import ConsentEnforcer
from pacer.release.rescheduler import Rescheduler
from spreader.contract.events import PackageConfigured, ProfileState


@dataclass(frozen=True, slots=True)
class ConfigurationChanges:
    config: PacerConfigCache
    rescheduler: Rescheduler
    consent_enforcer: ConsentEnforcer
    wake_release: Callable[[], None]
    wake_enforcer: Callable[[], None]

    def on_package(self, package_id: str, event: PackageConfigured) -> None:
        self.rescheduler.on_configured(package_id, None if event.removed else event.package)
        self.wake_release()
        self.consent_enforcer.on_configured(package_id)
        self.wake_enforcer()

    def on_state(self, _: str, state: ProfileState) -> None:
        if self.config.changes_rules(state):
            can_send = self.config.can_send(state)
            self.rescheduler.on_state_changed(state.package_id, state.profile_id, can_send)
            self.wake_release()
