"""Authorization: the check of `Authorization: Bearer <key>`, for callers of the API and for calls between services."""

import hmac

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from spreader.http.problems import UNAUTHORIZED, Problem
from spreader.vault import split_secrets

OPEN_PATHS = ("/health/", "/metrics")
"""Paths that need no credentials. Kubernetes and Prometheus call them."""


class AcceptedSecrets:
    """The keys or tokens of which a caller must show one. `setting`: one secret, or several separated by commas.

    While a secret is being changed, the old and the new one are both accepted.
    """

    def __init__(self, setting: str) -> None:
        self._headers = [f"Bearer {secret}".encode() for secret in split_secrets(setting)]

    def has(self, header: bytes) -> bool:
        """Whether this `Authorization` header shows one of the secrets. The check takes equally long for every wrong
        secret, so its time does not help to guess one."""
        return True in [hmac.compare_digest(header, accepted) for accepted in self._headers]

    def is_shown(self, scope: Scope) -> bool:
        """Whether the ASGI request shows one of the secrets."""
        return self.has(next((value for name, value in scope["headers"] if name == b"authorization"), b""))


def unauthorized() -> Problem:
    return Problem(
        UNAUTHORIZED,
        "Send the header `Authorization: Bearer <key>` with a key of SPREADER_API_KEY.",
        headers={"WWW-Authenticate": "Bearer"},
    )


def internal_only(token: str | None) -> list[Middleware]:
    """The middleware of a service that only other services call. `token`: the setting `internal_token`."""
    return [Middleware(InternalTokenMiddleware, token=token)]


class InternalTokenMiddleware:
    """ASGI middleware. Refuses every call that does not show `token`, except those of `OPEN_PATHS`.

    If no token is set, it refuses all other calls. So a forgotten setting does not leave the service open.
    """

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app = app
        self._accepted = AcceptedSecrets(token or "")
        self._is_set = bool(split_secrets(token or ""))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(OPEN_PATHS) or self._accepted.is_shown(scope):
            await self._app(scope, receive, send)
            return
        detail = "Send the header `Authorization: Bearer <token>` with a token of SPREADER_INTERNAL_TOKEN."
        if not self._is_set:
            detail = "SPREADER_INTERNAL_TOKEN is not set at this service, so it refuses every call."
        problem = Problem(UNAUTHORIZED, detail, headers={"WWW-Authenticate": "Bearer"})
        await problem.response()(scope, receive, send)
