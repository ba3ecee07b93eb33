"""Credentials: the secrets of a profile at its gateway. They are validated, stored encrypted, and never shown."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from typing_extensions import TypedDict

from ingress.http.problems import SECRET_KEYS
from spreader.contract.configuration import Driver
from spreader.http.problems import FieldError, Problem, unavailable
from spreader.vault import Credentials, Undecryptable, Vault

NAMES: Mapping[Driver, tuple[str, ...]] = {
    "simulator": (),
    "cloud_api": ("access_token", "app_secret", "verify_token"),
    "waha": ("api_key", "hmac_key"),
    "evolution": ("api_key", "webhook_token"),
}
"""The credentials that each driver requires."""

CACHED_MAX = 10_000
_POINTER = "/gateway/credentials"
SECRET = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,4094}[\x21-\x7e])?")
"""A credential must be a valid value of an HTTP header. Text that is copied from a terminal often ends with a line
break. Such text is refused."""


def credential_errors(driver: Driver, given: Mapping[str, Any]) -> list[FieldError]:
    """The errors in the credentials of a profile, by field. No error text contains a credential."""
    names = NAMES[driver]
    needed = f"{driver} needs {', '.join(names)}"
    missing = [
        FieldError(f"{_POINTER}/{name}", "missing", f"{needed}: this one is missing")
        for name in names
        if name not in given
    ]
    unknown = [
        FieldError(f"{_POINTER}/{name[:64]}", "extra_forbidden", f"{needed}, and nothing else")
        for name in given
        if name not in names
    ]
    return missing + unknown + [error for name in names if name in given and (error := _error(name, given[name]))]


def _error(name: str, value: Any) -> FieldError | None:
    pointer = f"{_POINTER}/{name}"
    if not isinstance(value, str):
        return FieldError(pointer, "string_type", "it must be a text")
    if not value.strip():
        return FieldError(pointer, "blank", "it is empty")
    if not SECRET.fullmatch(value):
        return FieldError(pointer, "secret", "it must be printable ASCII without spaces or line breaks around it")
    return None


class CredentialSealer:
    """Encrypts and decrypts credentials. `keys`: the setting `secret_keys`.

    Without keys every method raises the problem `secret-keys`, except `seal` for a driver that has no credentials.
    """

    def __init__(self, keys: str | None) -> None:
        self._vault = Vault(keys) if keys else None
        self._open_cached = lru_cache(CACHED_MAX)(self._open)

    def seal(self, profile_id: str, driver: Driver, credentials: Credentials) -> dict[str, str]:
        """The fields to store in the gateway settings: the encrypted credentials and, for the Cloud API, the holder."""
        if not NAMES[driver]:
            return {}
        vault = self._require_vault()
        holder = {"holder": vault.name(credentials["access_token"])} if driver == "cloud_api" else {}
        return {"sealed": vault.seal(profile_id, {name: credentials[name] for name in NAMES[driver]}), **holder}

    def seal_secrets(self, profile_id: str, secrets: Credentials) -> str:
        """Encrypts a profile's secrets that are not its credentials, such as a link code. `open` decrypts them too."""
        return self._require_vault().seal(profile_id, secrets)

    def open(self, profile_id: str, sealed: str) -> Credentials:
        """The decrypted credentials. Raises `Undecryptable`."""
        self._require_vault()
        return self._open_cached(profile_id, sealed)

    def require(self, profile_id: str, sealed: str | None) -> Credentials:
        """The decrypted credentials. Raises the problem `unavailable` if they cannot be decrypted. The text of this
        problem says what an operator must do."""
        try:
            return self.open(profile_id, sealed or "")
        except Undecryptable as error:
            raise unavailable(
                f"The credentials of the profile {profile_id} cannot be decrypted: {error}. Add the key that encrypted "
                "them to SPREADER_SECRET_KEYS, or set the credentials again."
            ) from None

    def _open(self, profile_id: str, sealed: str) -> Credentials:
        return self._require_vault().open(profile_id, sealed)

    def _require_vault(self) -> Vault:
        if self._vault is None:
            raise Problem(
                SECRET_KEYS,
                "SPREADER_SECRET_KEYS is not set, so credentials can be neither encrypted nor decrypted. Make a key "
                "with `python -m spreader key` and give it to every service.",
            )
        return self._vault


class CredentialsSummary(TypedDict):
    """What callers see of the credentials: whether they are set, and their names."""

    set: bool
    names: Sequence[str]


def credentials_summary(driver: Driver, sealed: str | None) -> CredentialsSummary:
    names: Sequence[str] = NAMES[driver] if sealed else ()
    return {"set": sealed is not None, "names": names}
