"""Credentials: the secrets of a profile at its gateway: checked by field, sealed, opened where needed, never shown."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

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
"""What each driver needs; all of it."""

OPENED_MAX = 10_000
_PLACE = "/gateway/credentials"
_SECRET = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,4094}[\x21-\x7e])?")
"""What can stand in a header. A line break at the end is what a copy from a terminal brings along."""


def wrong_fields(driver: Driver, given: Mapping[str, Any]) -> list[FieldError]:
    """What is wrong with the credentials of a profile, by field; the values are in no text of it."""
    names = NAMES[driver]
    needed = f"{driver} needs {', '.join(names)}"
    missing = [FieldError(f"{_PLACE}/{name}", "missing", f"{needed}: this one is missing") for name in names
               if name not in given]  # fmt: skip
    unknown = [
        FieldError(f"{_PLACE}/{name[:64]}", "extra_forbidden", f"{needed}, and nothing else")
        for name in given
        if name not in names
    ]
    return missing + unknown + [error for name in names if name in given and (error := _wrong(name, given[name]))]


def _wrong(name: str, value: Any) -> FieldError | None:
    pointer = f"{_PLACE}/{name}"
    if not isinstance(value, str):
        return FieldError(pointer, "string_type", "it must be a text")
    if not value.strip():
        return FieldError(pointer, "blank", "it is empty")
    if not _SECRET.fullmatch(value):
        return FieldError(pointer, "secret", "it must be printable ASCII without spaces or line breaks around it")
    return None


class Sealing:
    """`keys`: the setting `secret_keys`; without it nothing can be sealed, and what is sealed cannot be read."""

    def __init__(self, keys: str | None) -> None:
        self._vault = Vault(keys) if keys else None
        self._opened = lru_cache(OPENED_MAX)(self._open)

    def sealed(self, profile_id: str, driver: Driver, credentials: Credentials) -> dict[str, str]:
        """What is kept of them in the gateway's settings."""
        if not NAMES[driver]:
            return {}
        vault = self._keys()
        holder = {"holder": vault.name(credentials["access_token"])} if driver == "cloud_api" else {}
        return {"sealed": vault.seal(profile_id, {name: credentials[name] for name in NAMES[driver]}), **holder}

    def opened(self, profile_id: str, sealed: str) -> Credentials:
        """Raises `Undecryptable`, or the problem that there are no keys."""
        self._keys()
        return self._opened(profile_id, sealed)

    def read(self, profile_id: str, sealed: str | None) -> Credentials:
        """Likewise, and what cannot be read is a trouble of ours, which an operator ends."""
        try:
            return self.opened(profile_id, sealed or "")
        except Undecryptable as error:
            raise unavailable(
                f"The credentials of the profile {profile_id} cannot be opened: {error}. Give SPREADER_SECRET_KEYS the "
                "key that they were sealed with, or set them again."
            ) from None

    def _open(self, profile_id: str, sealed: str) -> Credentials:
        assert self._vault is not None
        return self._vault.open(profile_id, sealed)

    def _keys(self) -> Vault:
        if self._vault is None:
            raise Problem(
                SECRET_KEYS,
                "SPREADER_SECRET_KEYS is not set, so credentials can be neither sealed nor opened. Make a key with "
                "`python -m spreader key` and give it to every service.",
            )
        return self._vault


def shown(driver: Driver, sealed: str | None) -> dict[str, Any]:
    """That they are set, and how they are called."""
    names: Sequence[str] = NAMES[driver] if sealed else ()
    return {"set": sealed is not None, "names": names}
