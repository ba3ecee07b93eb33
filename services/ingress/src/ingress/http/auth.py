"""Authentication: all requests to the API need an API key, except the gateways' webhook calls."""

from starlette.types import ASGIApp, Receive, Scope, Send

from ingress.http import operator
from ingress.http.problems import count_problem
from ingress.http.urls import API
from spreader.http.auth import AcceptedSecrets, unauthorized

_WEBHOOKS = f"{API}/webhooks/"
"""Calls under this path need no API key, because gateways do not know the key. The webhook parsers verify these
calls."""


class ApiKeyMiddleware:
    """This is an ASGI middleware and not a FastAPI dependency, because a middleware costs little time and covers every
    route."""

    def __init__(self, app: ASGIApp, keys: str) -> None:
        self._app = app
        self._accepted = AcceptedSecrets(keys)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._is_allowed(scope):
            operator.remember(scope.get("headers", ()))
            await self._app(scope, receive, send)
            return
        problem = unauthorized()
        count_problem(problem.kind)
        await problem.response()(scope, receive, send)

    def _is_allowed(self, scope: Scope) -> bool:
        """Whether the request has a valid key, or needs no key. Webhook calls need no key, and neither do paths outside
        the API, such as `/health`."""
        path: str = scope["path"]
        if not path.startswith(f"{API}/") or path.startswith(_WEBHOOKS):
            return True
        return self._accepted.is_shown(scope)
