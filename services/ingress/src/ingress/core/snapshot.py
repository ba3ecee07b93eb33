"""Snapshot: the package as all services read it, made of what the operators set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ingress.core.limits import resolved
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


def snapshot(package: StoredPackage, profiles: Sequence[StoredProfile]) -> Package:
    shared = ProfileLimits.model_validate(package.settings["profile_limits"])
    return Package(
        package_id=package.package_id,
        version=package.version,
        paused=package.paused,
        profiles=tuple(_profile(each, shared) for each in profiles),
        **package.settings,
    )


def _profile(stored: StoredProfile, shared: ProfileLimits) -> Profile:
    limits = resolved(shared, stored.settings["limits"])
    settings: dict[str, Any] = {**stored.settings, "limits": limits}
    return Profile(profile_id=stored.profile_id, paused=stored.paused, **settings)


def merged(settings: Settings, patch: Settings) -> dict[str, Any]:
    """A merge of the parts that `patch` names: objects member by member, anything else (null too) as a whole."""
    result = dict(settings)
    for name, value in patch.items():
        known = result.get(name)
        result[name] = merged(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return result
