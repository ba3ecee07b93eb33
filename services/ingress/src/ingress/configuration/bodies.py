"""Bodies: what callers see of a package and of a profile."""

from dataclasses import asdict
from typing import Any

from ingress.configuration.credentials import credentials_summary
from ingress.core.limits import package_limit_warnings, profile_limit_warnings, resolve_limits
from ingress.http.urls import webhook_path
from ingress.sql.configuration import PackageEntry, ProfileEntry
from spreader.contract.configuration import PackageLimits, ProfileLimits


def package_body(row: PackageEntry) -> dict[str, Any]:
    return {
        "package_id": row.package_id,
        **row.settings,
        "paused": row.paused,
        "profile_ids": row.profile_ids,
        "version": row.version,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def package_warnings(row: PackageEntry) -> list[dict[str, str]]:
    limits = PackageLimits.model_validate(row.settings["limits"])
    profile_limits = ProfileLimits.model_validate(row.settings["profile_limits"])
    warnings = profile_limit_warnings(profile_limits, "/profile_limits")
    warnings += package_limit_warnings(limits, profile_limits)
    return [asdict(warning) for warning in warnings]


def effective_limits(package: PackageEntry, row: ProfileEntry) -> ProfileLimits:
    return resolve_limits(ProfileLimits.model_validate(package.settings["profile_limits"]), row.settings["limits"])


def profile_body(package: PackageEntry, row: ProfileEntry) -> dict[str, Any]:
    gateway = row.settings["gateway"]
    shown = {name: gateway[name] for name in ("driver", "base_url", "account")}
    return {
        "profile_id": row.profile_id,
        "package_id": row.package_id,
        "backup": False,  # settings that were stored before this field existed lack it
        **row.settings,
        "gateway": {**shown, "credentials": credentials_summary(gateway["driver"], gateway.get("sealed"))},
        "webhook_url": webhook_path(gateway["driver"], row.package_id, row.profile_id),
        "effective_limits": effective_limits(package, row),
        "paused": row.paused,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }
