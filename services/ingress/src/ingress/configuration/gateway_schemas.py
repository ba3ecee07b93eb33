"""Gateway form: where a profile is reached, its name there, and what proves to the gateway that it is us."""

from collections.abc import Mapping
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, Field, StringConstraints

from ingress.configuration.credentials import Sealing, wrong_fields
from ingress.http.form import Form
from spreader.contract.configuration import Driver
from spreader.http.problems import INVALID, FieldError, Problem
from spreader.vault import Undecryptable

DRIVERS: tuple[Driver, ...] = get_args(Driver)
CLOUD_API_URL = "https://graph.facebook.com/v23.0"


def _without_secrets(url: str) -> str:
    if "@" in url.split("/")[2]:
        raise ValueError("no user or password in the address: `credentials` keeps secrets, an address is shown")
    return url


BaseUrl = Annotated[
    str,
    StringConstraints(pattern=r"^https?://[^\s/\x00-\x1f]+[^\s\x00-\x1f]*$", max_length=2048),
    AfterValidator(_without_secrets),
]
Account = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.@+-]{1,128}$")]


class GatewayForm(Form):
    driver: Driver = Field(examples=["simulator"])
    base_url: BaseUrl | None = Field(
        default=None, description="Left out: the simulator's own, or Meta's. waha and evolution need one."
    )
    account: Account | None = Field(
        default=None,
        description="The profile's name at its gateway: the phone number id at cloud_api (needed), the session at "
        "waha, the instance at evolution; left out: the profile's id.",
    )
    credentials: dict[str, Any] | None = Field(
        default=None,
        description="cloud_api: access_token, app_secret, verify_token. waha: api_key, hmac_key. evolution: api_key, "
        "webhook_token. Kept sealed and never shown; what is left out of a change stays.",
    )


def editable(kept: Mapping[str, Any], patch: Any) -> dict[str, Any]:
    """What is kept of a gateway, as a form to change; under another driver nothing of it holds any more."""
    if isinstance(patch, dict) and patch.get("driver", kept["driver"]) != kept["driver"]:
        return {}
    return {name: kept[name] for name in ("driver", "base_url", "account")}


def settings(
    form: GatewayForm, profile_id: str, simulator_url: str, sealing: Sealing, kept: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What is kept of the form, its credentials sealed. `kept`: of the profile as it was; raises the problem."""
    known = kept if kept is not None and kept["driver"] == form.driver and kept.get("sealed") else None
    errors = _wrong_place(form)
    place = {
        "driver": form.driver,
        "base_url": form.base_url or {"simulator": simulator_url, "cloud_api": CLOUD_API_URL}.get(form.driver),
        "account": form.account or profile_id,
    }
    if form.driver == "simulator":
        secrets: dict[str, Any] = {}
    elif known is not None and not form.credentials:
        secrets = {name: known[name] for name in ("sealed", "holder") if known.get(name)}
    else:
        given = {**(_opened(sealing, profile_id, known["sealed"]) if known else {}), **(form.credentials or {})}
        errors += wrong_fields(form.driver, given)
        secrets = {} if errors else sealing.sealed(profile_id, form.driver, given)
    if errors:
        more = "" if len(errors) == 1 else f" (and {len(errors) - 1} more)"
        raise Problem(INVALID, f"{errors[0].pointer}: {errors[0].detail}{more}", errors)
    return {**place, **secrets}


def _wrong_place(form: GatewayForm) -> list[FieldError]:
    errors: list[FieldError] = []
    if form.driver in ("waha", "evolution") and form.base_url is None:
        errors.append(FieldError("/gateway/base_url", "missing", f"say where your {form.driver} server is"))
    if form.driver == "cloud_api" and form.account is None:
        errors.append(
            FieldError("/gateway/account", "missing", "say the phone number id, which Meta's dashboard shows")
        )
    return errors


def _opened(sealing: Sealing, profile_id: str, sealed: str) -> Mapping[str, str]:
    """So that one secret can be changed alone. What cannot be read any more has to be given whole."""
    try:
        return sealing.opened(profile_id, sealed)
    except Undecryptable:
        return {}
