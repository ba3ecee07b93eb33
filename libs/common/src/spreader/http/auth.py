"""Authorization: the check of `Authorization: Bearer <key>`, for callers of the API and for calls between services."""

import hmac

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from spreader.http.problems import UNAUTHORIZED, Problem

OPEN_PATHS = ("/health/", "/metrics")
"""Paths that need no credentials. Kubernetes and Prometheus call them."""


def is_authorized(header: bytes, key: str) -> bool:
    """Whether the `Authorization` header carries the key. The check takes equally long for every wrong key, so its time
    does not help to guess the key."""
    return hmac.compare_digest(header, f"Bearer {key}".encode())


def shows_key(scope: Scope, key: str) -> bool:
    """Whether the ASGI request carries the key."""
    return is_authorized(next((value for name, value in scope["headers"] if name == b"authorization"), b""), key)


def unauthorized() -> Problem:
    return Problem(
        UNAUTHORIZED,
        "Send the header `Authorization: Bearer <key>` with the value of SPREADER_API_KEY.",
        headers={"WWW-Authenticate": "Bearer"},
    )


def internal_only(token: str | None) -> list[Middleware]:
    """The middleware of a service that only other services call. `token`: the setting `internal_token`."""
    return [Middleware(InternalTokenMiddleware, token=token)]


class InternalTokenMiddleware:
    """ASGI middleware. Refuses every call that does not show `token`, except those of `OPEN_PATHS`.

    Without a token it refuses all other calls: a service must not be open because somebody forgot a setting.
    """

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(OPEN_PATHS) or self._shows_token(scope):
            await self._app(scope, receive, send)
            return
        detail = "Send the header `Authorization: Bearer <token>` with the value of SPREADER_INTERNAL_TOKEN."
        if self._token is None:
            detail = "SPREADER_INTERNAL_TOKEN is not set at this service, so it refuses every call."
        problem = Problem(UNAUTHORIZED, detail, headers={"WWW-Authenticate": "Bearer"})
        await problem.response()(scope, receive, send)

    def _shows_token(self, scope: Scope) -> bool:
        return self._token is not None and shows_key(scope, self._token)
