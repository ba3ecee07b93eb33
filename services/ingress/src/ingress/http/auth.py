"""Guard: lets through who shows the API key."""

import hmac

from starlette.types import ASGIApp, Receive, Scope, Send

from ingress.http import operator
from ingress.http.problems import Problem
from ingress.http.urls import API

_OPEN = f"{API}/webhooks/"
"""Gateways cannot show our key; what they send is checked where it is read."""


class Guard:
    """An ASGI layer, not a FastAPI dependency: it costs nothing on the accept path, and covers every route below it."""

    def __init__(self, app: ASGIApp, key: str) -> None:
        self._app = app
        self._expected = f"Bearer {key}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._may_pass(scope):
            operator.hear(scope.get("headers", ()))
            await self._app(scope, receive, send)
            return
        problem = Problem(
            "unauthorized",
            "Send the header `Authorization: Bearer <key>` with the key that SPREADER_API_KEY holds.",
            headers={"WWW-Authenticate": "Bearer"},
        )
        await problem.response()(scope, receive, send)

    def _may_pass(self, scope: Scope) -> bool:
        path: str = scope["path"]
        if not path.startswith(f"{API}/") or path.startswith(_OPEN):
            return True
        shown = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        return hmac.compare_digest(shown, self._expected)
