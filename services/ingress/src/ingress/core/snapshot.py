"""Snapshot: a package in the form that all services read, built from the settings that operators stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ingress.core.limits import resolve_limits
from spreader.contract.configuration import Package, Profile, ProfileLimits

Settings = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StoredPackage:
    package_id: str
    version: int
    settings: Settings
    paused: bool


@dataclass(frozen=True, slots=True)
class StoredProfile:
    profile_id: str
    package_id: str
    settings: Settings
    paused: bool
    created_at: datetime


def snapshot(package: StoredPackage, profiles: Sequence[StoredProfile]) -> Package:
    package_limits = ProfileLimits.model_validate(package.settings["profile_limits"])
    return Package(
        package_id=package.package_id,
        version=package.version,
        paused=package.paused,
        profiles=tuple(_profile(profile, package_limits) for profile in profiles),
        **package.settings,
    )


def _profile(stored: StoredProfile, package_limits: ProfileLimits) -> Profile:
    limits = resolve_limits(package_limits, stored.settings["limits"])
    settings: dict[str, Any] = {**stored.settings, "limits": limits}
    return Profile(profile_id=stored.profile_id, paused=stored.paused, created_at=stored.created_at, **settings)


def merge_settings(settings: Settings, patch: Settings) -> dict[str, Any]:
    """The settings after a merge patch. If the old and the new value of a member are both objects, the two objects are
    merged. Otherwise the new value replaces the old value, even if the new value is null."""
    result = dict(settings)
    for name, value in patch.items():
        old = result.get(name)
        result[name] = merge_settings(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result
