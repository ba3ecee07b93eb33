"""API key: the check of `Authorization: Bearer <key>`."""

import hmac

from spreader.http.problems import UNAUTHORIZED, Problem


def is_authorized(header: bytes, key: str) -> bool:
    """Whether the `Authorization` header carries the key. The check takes equally long for every wrong key, so its time
    does not help to guess the key."""
    return hmac.compare_digest(header, f"Bearer {key}".encode())


def unauthorized() -> Problem:
    return Problem(
        UNAUTHORIZED,
        "Send the header `Authorization: Bearer <key>` with the value of SPREADER_API_KEY.",
        headers={"WWW-Authenticate": "Bearer"},
    )
