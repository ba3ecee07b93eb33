"""Keyring: the credentials of profiles at their gateways, decrypted once and kept in memory only."""

from functools import lru_cache

from spreader.contract.configuration import Driver, Profile
from spreader.vault import Credentials, Undecryptable, Vault

REQUIRED: dict[Driver, tuple[str, ...]] = {
    "simulator": (),
    "cloud_api": ("access_token", "app_secret", "verify_token"),
    "waha": ("api_key", "hmac_key"),
    "evolution": ("api_key", "webhook_token"),
}
OPENED_MAX = 10_000


class Keyring:
    def __init__(self, secret_keys: str | None) -> None:
        self._vault = None if secret_keys is None else Vault(secret_keys)
        self._opened = lru_cache(maxsize=OPENED_MAX)(self._open)

    def of(self, profile: Profile) -> Credentials:
        """Raises `Undecryptable`, whose text says what to do and contains no secret."""
        credentials = self._opened(profile.profile_id, profile.gateway.sealed)
        missing = [name for name in REQUIRED[profile.gateway.driver] if not credentials.get(name)]
        if missing:
            raise Undecryptable(f"the credentials lack {', '.join(missing)}: set them again in the profile's gateway")
        return credentials

    def _open(self, profile_id: str, sealed: str | None) -> Credentials:
        if sealed is None:
            raise Undecryptable("the profile has no credentials: set them in its gateway")
        if self._vault is None:
            raise Undecryptable(
                "the sender has no key to decrypt credentials: set SPREADER_SECRET_KEYS to the same value as in ingress"
            )
        return self._vault.open(profile_id, sealed)
