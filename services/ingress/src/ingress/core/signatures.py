"""Signature: the proof that a webhook's body comes from whoever shares a secret with us, compared in constant time."""

import hmac


def signs(secret: str, body: bytes, shown: str | None, algorithm: str) -> bool:
    """Whether `shown` is the HMAC of the raw body in hex."""
    expected = hmac.new(secret.encode(), body, algorithm).hexdigest()
    return equal(expected, (shown or "").lower())


def equal(expected: str, shown: str) -> bool:
    """Whether two texts are the same, in a time that does not tell how much of them is."""
    return hmac.compare_digest(expected.encode(), shown.encode())
