"""Gateway form: the address of a profile's gateway, and the account and the credentials of the profile there."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from ingress.configuration.credentials import NAMES, SECRET, CredentialSealer, credential_errors
from ingress.core.accounts import server
from ingress.http.request_body import RequestForm
from spreader.contract.configuration import Driver
from spreader.http.openapi import Schema
from spreader.http.problems import INVALID, FieldError, Problem
from spreader.vault import Undecryptable

DRIVERS: tuple[Driver, ...] = get_args(Driver)
CLOUD_API_URL = "https://graph.facebook.com/v23.0"


def _check_no_password(url: str) -> str:
    if "@" in url.split("/")[2]:
        raise ValueError("the address must not contain a user or password, because it is shown: use `credentials`")
    return url


BaseUrl = Annotated[
    str,
    StringConstraints(pattern=r"^https?://[^\s/\x00-\x1f]+[^\s\x00-\x1f]*$", max_length=2048),
    AfterValidator(_check_no_password),
]
Account = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.@+-]{1,128}$")]


def _credentials_schema(driver: Driver) -> Schema:
    secret: Schema = {"type": "string", "pattern": f"^{SECRET.pattern}$"}
    properties = dict.fromkeys(NAMES[driver], secret)
    return {"type": "object", "required": [*properties], "properties": properties, "additionalProperties": False}


def _of_driver(driver: Driver) -> Schema:
    """The schema of a gateway with this driver, as `gateway_settings` checks it."""
    properties: Schema = {"driver": {"const": driver}}
    if not NAMES[driver]:
        return {"properties": properties}
    address = "account" if driver == "cloud_api" else "base_url"
    properties |= {"credentials": _credentials_schema(driver), address: {"type": "string"}}
    return {"properties": properties, "required": ["driver", "credentials", address]}


class GatewayForm(RequestForm):
    model_config = ConfigDict(json_schema_extra={"oneOf": [_of_driver(driver) for driver in DRIVERS]})

    driver: Driver = Field(examples=["simulator"])
    base_url: BaseUrl | None = Field(
        default=None, description="Required for waha and evolution. Default: the simulator's address, or Meta's."
    )
    account: Account | None = Field(
        default=None,
        description="The profile's name at its gateway: the phone number id at cloud_api (required), the session at "
        "waha, the instance at evolution. Default: the profile's id.",
    )
    credentials: dict[str, Any] | None = Field(
        default=None,
        repr=False,
        description="cloud_api: access_token, app_secret, verify_token. waha: api_key, hmac_key. evolution: api_key, "
        "webhook_token. Stored encrypted and never shown; a change keeps the ones that it leaves out.",
    )


_NEEDED_AT_OTHER_SERVER = FieldError(
    "/gateway/credentials",
    "missing",
    "base_url names another server: send all credentials for it too. The stored ones are not sent there",
)


def editable_gateway(stored: Mapping[str, Any], patch: Any) -> dict[str, Any]:
    """The fields of the stored gateway that stay unless the patch changes them. If the patch changes the driver, no
    field stays."""
    if isinstance(patch, dict) and patch.get("driver", stored["driver"]) != stored["driver"]:
        return {}
    return {name: stored[name] for name in ("driver", "base_url", "account")}


def gateway_settings(
    form: GatewayForm,
    profile_id: str,
    simulator_url: str,
    sealer: CredentialSealer,
    stored: Mapping[str, Any] | None = None,
    *,
    now: datetime,
) -> dict[str, Any]:
    """The settings to store for a form, with sealed credentials. Raises the problem `invalid` or `secret-keys`.

    `stored`: the profile's present gateway, or None for a new profile. The stored credentials stay unless the form
    replaces them or changes the driver. If the form names another server, it must contain all credentials, because the
    stored ones are not sent to that server.
    """
    present = stored if stored is not None and stored["driver"] == form.driver and stored.get("sealed") else None
    errors = _address_errors(form)
    address = {
        "driver": form.driver,
        "base_url": form.base_url or {"simulator": simulator_url, "cloud_api": CLOUD_API_URL}.get(form.driver),
        "account": form.account or profile_id,
    }
    moved = present is not None and server(present["base_url"]) != server(address["base_url"])
    if moved:
        present = None
    if form.driver == "simulator":
        secrets: dict[str, Any] = {}
    elif moved and not form.credentials:
        errors.append(_NEEDED_AT_OTHER_SERVER)
        secrets = {}
    elif present is not None and not form.credentials:
        secrets = {name: present[name] for name in ("sealed", "holder") if present.get(name)}
    else:
        credentials = {**(_open(sealer, profile_id, present["sealed"]) if present else {}), **(form.credentials or {})}
        errors += credential_errors(form.driver, credentials)
        secrets = {} if errors else sealer.seal(profile_id, form.driver, credentials)
    if errors:
        more = "" if len(errors) == 1 else f" (and {len(errors) - 1} more)"
        raise Problem(INVALID, f"{errors[0].pointer}: {errors[0].detail}{more}", errors)
    return {**address, **secrets, **_holder_since(secrets.get("holder"), stored, now)}


def _holder_since(holder: str | None, stored: Mapping[str, Any] | None, now: datetime) -> dict[str, Any]:
    """The field to store that says since when the profile has this holder. There is no field if an older version of the
    ingress stored the holder, because that version did not store the time."""
    if holder is None:
        return {}
    if stored is None or stored.get("holder") != holder:
        return {"holder_since": now.isoformat()}
    return {"holder_since": stored["holder_since"]} if "holder_since" in stored else {}


def _address_errors(form: GatewayForm) -> list[FieldError]:
    errors: list[FieldError] = []
    if form.driver in ("waha", "evolution") and form.base_url is None:
        detail = f"{form.driver} needs the address of your {form.driver} server"
        errors.append(FieldError("/gateway/base_url", "missing", detail))
    if form.driver == "cloud_api" and form.account is None:
        detail = "cloud_api needs the phone number id; Meta's dashboard shows it"
        errors.append(FieldError("/gateway/account", "missing", detail))
    return errors


def _open(sealer: CredentialSealer, profile_id: str, sealed: str) -> Mapping[str, str]:
    """The stored credentials, so that a form can replace one of them. Empty if the stored credentials cannot be
    decrypted."""
    try:
        return sealer.open(profile_id, sealed)
    except Undecryptable:
        return {}
