"""Vault: encrypts gateway credentials, so that events and tables contain no readable secret."""

import contextlib
import hashlib
import hmac
import json
from collections.abc import Mapping

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

Credentials = Mapping[str, str]


class Undecryptable(Exception):
    """Credentials cannot be decrypted. They were sealed with another key, they belong to another profile, or they are
    damaged.

    The error never contains the credentials.
    """


class Vault:
    """`keys`: Fernet keys, newest first, separated by commas. The first key encrypts. All keys can decrypt.

    `key_ids` are the ids of the keys, newest first. An id shows which key is meant, but does not reveal the key.
    """

    def __init__(self, keys: str) -> None:
        names = split_secrets(keys)
        try:
            self._keys = {_key_id(name): Fernet(name) for name in names}
            self._fernet = MultiFernet(self._keys.values())  # raises ValueError for an empty list too
        except ValueError:
            raise ValueError(
                "SPREADER_SECRET_KEYS contains an invalid key, so gateway credentials cannot be encrypted or read. "
                "Make a key with `python -m spreader key`; separate several keys with commas, newest first."
            ) from None
        self.key_ids = tuple(self._keys)
        self._naming_key = hashlib.sha256(b"spreader holder" + names[0].encode()).digest()

    def seal(self, owner: str, credentials: Credentials) -> str:
        """Encrypt credentials for one owner (a profile id). They cannot be opened for another owner."""
        return self._fernet.encrypt(json.dumps({"owner": owner, "credentials": dict(credentials)}).encode()).decode()

    def open(self, owner: str, sealed: str) -> Credentials:
        """Raises `Undecryptable`."""
        try:
            content = json.loads(self._fernet.decrypt(sealed))
        except InvalidToken:
            raise Undecryptable(
                "the credentials were sealed with a key that SPREADER_SECRET_KEYS does not contain"
            ) from None
        if content["owner"] != owner:
            raise Undecryptable("the credentials were sealed for another profile")
        return content["credentials"]

    def key_of(self, sealed: str) -> str | None:
        """The id of the key that sealed the text. None if this vault does not have that key."""
        for key_id, fernet in self._keys.items():
            with contextlib.suppress(InvalidToken):
                fernet.decrypt(sealed)
                return key_id
        return None

    def name(self, secret: str) -> str:
        """16 hex digits that are equal for equal secrets, but do not reveal them. They show which profiles share a
        secret.

        They are computed with the newest key, so that older keys can be taken out. A new key changes every name.
        """
        return hmac.new(self._naming_key, secret.encode(), hashlib.sha256).hexdigest()[:16]


def new_key() -> str:
    return Fernet.generate_key().decode()


def split_secrets(setting: str) -> tuple[str, ...]:
    """The secrets of a setting that may have several, separated by commas."""
    return tuple(secret for part in setting.split(",") if (secret := part.strip()))


def _key_id(key: str) -> str:
    return hashlib.sha256(b"spreader key" + key.encode()).hexdigest()[:8]
