"""Signature: proof that a webhook call comes from the gateway that shares a secret with us."""

import hmac


def is_valid_hmac(secret: str, body: bytes, signature: str | None, algorithm: str) -> bool:
    """Whether `signature` is the hexadecimal HMAC of the raw body."""
    expected = hmac.new(secret.encode(), body, algorithm).hexdigest()
    return equal_in_constant_time(expected, (signature or "").lower())


def equal_in_constant_time(expected: str, actual: str) -> bool:
    """Whether two texts are equal. The time of the comparison does not reveal how many characters are equal."""
    return hmac.compare_digest(expected.encode(), actual.encode())
