"""Bodies: what callers see of a package and of a profile."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from ingress.configuration.credentials import CredentialsSummary, credentials_summary
from ingress.configuration.schemas import PackageForm, ProfileSettings
from ingress.core.limits import SettingWarning, package_limit_warnings, profile_limit_warnings, resolve_limits
from ingress.http.urls import webhook_url
from ingress.sql.configuration import PackageEntry, ProfileEntry
from spreader.contract.answers import ProfileCheckResponse
from spreader.contract.configuration import Driver, PackageLimits, ProfileLimits
from spreader.contract.ids import Id
from spreader.http.openapi import may_lack


class PackageBody(PackageForm):
    """The form of a package in a response. `package_body` makes it."""

    model_config = ConfigDict(extra="ignore")

    package_id: Id
    paused: bool
    profile_ids: list[Id]
    version: int
    created_at: datetime
    updated_at: datetime


class ChangedPackageBody(PackageBody):
    warnings: list[SettingWarning]


class GatewayBody(BaseModel):
    driver: Driver
    base_url: str
    account: str
    credentials: CredentialsSummary


class ProfileBody(ProfileSettings):
    """The form of a profile in a response. `profile_body` makes it."""

    model_config = ConfigDict(extra="ignore")

    profile_id: Id
    package_id: Id
    gateway: GatewayBody
    webhook_url: str
    effective_limits: ProfileLimits
    paused: bool
    created_at: datetime
    updated_at: datetime


class ChangedProfileBody(ProfileBody):
    """`check` is the result of the connection check. It is missing if the request did not change the gateway. It is
    null if the connection was not checked."""

    model_config = ConfigDict(json_schema_extra=may_lack("check"))

    check: ProfileCheckResponse | None
    warnings: list[SettingWarning]


def package_body(row: PackageEntry) -> dict[str, Any]:
    return {
        "package_id": row.package_id,
        "default_country": None,  # settings that were stored before this field existed lack it
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


def profile_body(package: PackageEntry, row: ProfileEntry, public_url: str | None = None) -> dict[str, Any]:
    """`public_url`: the address at which gateways reach this server. Without it, `webhook_url` is only a path."""
    gateway = row.settings["gateway"]
    shown = {name: gateway[name] for name in ("driver", "base_url", "account")}
    return {
        "profile_id": row.profile_id,
        "package_id": row.package_id,
        "backup": False,  # settings that were stored before this field existed lack it
        **row.settings,
        "gateway": {**shown, "credentials": credentials_summary(gateway["driver"], gateway.get("sealed"))},
        "webhook_url": webhook_url(public_url, gateway["driver"], row.package_id, row.profile_id),
        "effective_limits": effective_limits(package, row),
        "paused": row.paused,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }
