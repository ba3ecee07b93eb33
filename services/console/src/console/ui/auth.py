"""Auth: the endpoints for signing in and out, and the middleware that keeps everybody else out of the console."""

from collections.abc import Mapping
from importlib.resources import files
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup
from starlette.datastructures import FormData
from starlette.requests import cookie_parser
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from console.core.markup import join, tag
from console.data.api import CallFailed, CallRefused, CallSucceeded
from console.data.polling_cache import PollingCaches
from console.data.sessions import COOKIE, Session, Sessions
from console.metrics import SIGN_INS
from console.theme import HEAD, LOGO, MOUNT

SIGN_IN, SIGN_OUT = "/sign-in", "/sign-out"
_PUBLIC_PATHS = (SIGN_IN, MOUNT, "/health/", "/metrics", "/_nicegui/")
_NAME_CHARACTERS_MAX = 100


def session_of_cookies(sessions: Sessions, cookies: Mapping[str, str]) -> Session | None:
    return sessions.read(cookies.get(COOKIE))


def install(app: FastAPI, sessions: Sessions, caches: PollingCaches, secure: bool) -> None:
    """Add the endpoints for signing in and out, and require a session for all paths that are not public."""

    async def form(request: Request) -> Response:
        return HTMLResponse(_page(_next_path(request), ""))

    async def sign_in(request: Request) -> Response:
        fields = await request.form(max_files=0, max_fields=5)
        key, operator = _text(fields, "key"), _text(fields, "operator")[:_NAME_CHARACTERS_MAX]
        error = await _key_error(caches, key) if operator else "Enter your name."
        SIGN_INS.labels("no" if error else "yes").inc()
        if error:
            return HTMLResponse(_page(_next_path(request), error, operator), 401)
        response = RedirectResponse(_next_path(request), 303)
        response.set_cookie(
            COOKIE,
            sessions.new_cookie(key, operator),
            sessions.lifetime_seconds,
            httponly=True,
            samesite="strict",
            secure=secure,
        )
        return response

    async def sign_out(request: Request) -> Response:
        if (session := session_of_cookies(sessions, request.cookies)) is not None:
            sessions.sign_out(session)
        response = RedirectResponse(SIGN_IN, 303)
        response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=secure)
        return response

    app.add_api_route(SIGN_IN, form, methods=["GET"], include_in_schema=False)
    app.add_api_route(SIGN_IN, sign_in, methods=["POST"], include_in_schema=False)
    app.add_api_route(SIGN_OUT, sign_out, methods=["POST"], include_in_schema=False)
    app.mount(MOUNT, StaticFiles(directory=str(files("console").joinpath("theme"))))
    app.add_middleware(SignInMiddleware, sessions=sessions)


class SignInMiddleware:
    """Redirects requests without a session to the sign-in page.

    It is an ASGI middleware, because it must cover the routes of NiceGUI too.
    """

    def __init__(self, app: ASGIApp, sessions: Sessions) -> None:
        self._app = app
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_PUBLIC_PATHS) or self._is_signed_in(scope):
            await self._app(scope, receive, send)
        else:
            await RedirectResponse(f"{SIGN_IN}?next={quote(_path_and_query(scope))}", 303)(scope, receive, send)

    def _is_signed_in(self, scope: Scope) -> bool:
        header = next((value for name, value in scope["headers"] if name == b"cookie"), b"")
        return session_of_cookies(self._sessions, cookie_parser(header.decode("latin-1"))) is not None


async def _key_error(caches: PollingCaches, key: str) -> str:
    """Why the API key is not accepted. Empty if the key is accepted. The ingress checks the key."""
    if not key.isascii() or not key.isprintable() or not key:
        return "Enter the API key."
    match await caches.api(key, "").get("ingress", "/packages?limit=1", 5.0):
        case CallSucceeded():
            return ""
        case CallRefused(401 | 403):
            return "Wrong API key."
        case CallRefused(_, _, detail):
            return f"Not signed in: {detail}"
        case CallFailed(reason):
            return f"The key cannot be checked now ({reason}). Try again in a moment."


def _next_path(request: Request) -> str:
    """The page to open after the sign-in. It is always a path of the console, never an address of another site."""
    path = request.query_params.get("next", "/")
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"


def _path_and_query(scope: Scope) -> str:
    query = scope["query_string"].decode("latin-1")
    return scope["path"] + (f"?{query}" if query else "")


def _text(fields: FormData, name: str) -> str:
    value = fields.get(name)
    return value.strip() if isinstance(value, str) else ""


def _page(next_path: str, error: str, operator: str = "") -> Markup:
    form = tag(
        "form",
        tag("div", LOGO, tag("h1", "Sign in to Spreader"), class_="signin-head"),
        tag("p", error, class_="notice notice-bad", role="alert") if error else None,
        _field("key", "API key", "password", "current-password", "The key your integrations use.", True),
        _field("operator", "Your name", "text", "name", "Shown in the history next to your changes.", True, operator),
        tag("button", "Sign in", type="submit", class_="button button-main"),
        method="post",
        action=f"{SIGN_IN}?next={quote(next_path)}",
        class_="card signin",
    )
    title = tag("title", "Sign in · Spreader")
    return join(
        Markup("<!doctype html>"),
        tag("html", tag("head", title, HEAD), tag("body", tag("main", form), class_="body--auto"), lang="en"),
    )


def _field(name: str, label: str, kind: str, autocomplete: str, hint: str, required: bool, value: str = "") -> Markup:
    return tag(
        "label",
        tag("span", label, class_="field-label"),
        tag(
            "input",
            name=name,
            type=kind,
            autocomplete=autocomplete,
            required=required,
            value=value,
            maxlength=500,
            autofocus=name == "key",
            aria_describedby=f"{name}-words",
        ),
        tag("span", hint, class_="field-words", id=f"{name}-words"),
        class_="field",
    )
