"""Vault: seals gateways' credentials, so that whoever reads an event or a table without the key learns nothing."""

import hashlib
import hmac
import json
from collections.abc import Mapping

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

Credentials = Mapping[str, str]


class Undecryptable(Exception):
    """What was sealed cannot be opened: by another key, for another profile, or damaged. Says nothing of the text."""


class Vault:
    """`keys`: Fernet keys, newest first, with commas between them; the first seals, all open."""

    def __init__(self, keys: str) -> None:
        names = [key.strip() for key in keys.split(",") if key.strip()]
        try:
            self._fernet = MultiFernet([Fernet(name) for name in names])  # of none: a ValueError as well
        except ValueError:
            raise ValueError(
                "SPREADER_SECRET_KEYS holds something that is no key, so credentials can be neither sealed nor opened. "
                "Make a key with `python -m spreader key`; several have commas between them, the newest first."
            ) from None
        self._naming_key = hashlib.sha256(b"spreader holder" + names[-1].encode()).digest()

    def seal(self, owner: str, credentials: Credentials) -> str:
        """Bound to its owner (a profile's id): nobody else's profile can be given it."""
        return self._fernet.encrypt(json.dumps({"owner": owner, "credentials": dict(credentials)}).encode()).decode()

    def open(self, owner: str, sealed: str) -> Credentials:
        """Raises `Undecryptable`."""
        try:
            held = json.loads(self._fernet.decrypt(sealed))
        except InvalidToken:
            raise Undecryptable(
                "the credentials were sealed with a key that SPREADER_SECRET_KEYS does not hold"
            ) from None
        if held["owner"] != owner:
            raise Undecryptable("the credentials were sealed for another profile")
        return held["credentials"]

    def name(self, secret: str) -> str:
        """The same 16 hex digits for the same secret, from which it cannot be read: who shares it is found by them.

        It is taken with the oldest key, so a new one in front of it changes no name.
        """
        return hmac.new(self._naming_key, secret.encode(), hashlib.sha256).hexdigest()[:16]


def new_key() -> str:
    return Fernet.generate_key().decode()
