"""Gate: signing in and out, and a layer that lets nobody else through."""

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

from console.core.markup import tag, together
from console.data.api import Away, Given, Refused
from console.data.polling_caches import Feeds
from console.data.sessions import COOKIE, Session, Sessions
from console.metrics import SIGN_INS
from console.theme import HEAD, LOGO, MOUNT

SIGN_IN, SIGN_OUT = "/sign-in", "/sign-out"
_OPEN = (SIGN_IN, MOUNT, "/health/", "/metrics", "/_nicegui/")
_NAME_CHARACTERS_MAX = 100


def of_cookies(sessions: Sessions, cookies: Mapping[str, str]) -> Session | None:
    return sessions.read(cookies.get(COOKIE))


def install(app: FastAPI, sessions: Sessions, feeds: Feeds, secure: bool) -> None:
    """Give `app` the addresses of signing in and out, and close all others to who is not signed in."""

    async def form(request: Request) -> Response:
        return HTMLResponse(_page(_next(request), ""))

    async def sign_in(request: Request) -> Response:
        asked = await request.form(max_files=0, max_fields=5)
        key, operator = _text(asked, "key"), _text(asked, "operator")[:_NAME_CHARACTERS_MAX]
        trouble = await _trouble(feeds, key)
        SIGN_INS.labels("no" if trouble else "yes").inc()
        if trouble:
            return HTMLResponse(_page(_next(request), trouble, operator), 401)
        response = RedirectResponse(_next(request), 303)
        response.set_cookie(
            COOKIE, sessions.begin(key, operator), sessions.seconds, httponly=True, samesite="strict", secure=secure
        )
        return response

    async def sign_out(request: Request) -> Response:
        if (session := of_cookies(sessions, request.cookies)) is not None:
            sessions.end(session)
        response = RedirectResponse(SIGN_IN, 303)
        response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=secure)
        return response

    app.add_api_route(SIGN_IN, form, methods=["GET"], include_in_schema=False)
    app.add_api_route(SIGN_IN, sign_in, methods=["POST"], include_in_schema=False)
    app.add_api_route(SIGN_OUT, sign_out, methods=["POST"], include_in_schema=False)
    app.mount(MOUNT, StaticFiles(directory=str(files("console").joinpath("theme"))))
    app.add_middleware(Gate, sessions=sessions)


class Gate:
    """An ASGI layer: it also covers what NiceGUI adds."""

    def __init__(self, app: ASGIApp, sessions: Sessions) -> None:
        self._app = app
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_OPEN) or self._is_known(scope):
            await self._app(scope, receive, send)
        else:
            await RedirectResponse(f"{SIGN_IN}?next={quote(_asked(scope))}", 303)(scope, receive, send)

    def _is_known(self, scope: Scope) -> bool:
        sent = next((value for name, value in scope["headers"] if name == b"cookie"), b"")
        return of_cookies(self._sessions, cookie_parser(sent.decode("latin-1"))) is not None


async def _trouble(feeds: Feeds, key: str) -> str:
    """Why this key opens nothing; empty: it does. The ingress is asked, which compares keys in constant time."""
    if not key.isascii() or not key.isprintable() or not key:
        return "Give the API key as it was given to you."
    match await feeds.api(key, "").get("ingress", "/packages?limit=1", 5.0):
        case Given():
            return ""
        case Refused(401 | 403):
            return "The ingress does not take this key. It is what SPREADER_API_KEY holds."
        case Refused(_, _, detail):
            return f"The ingress refused: {detail}"
        case Away(why):
            return f"The key cannot be checked: the ingress gives no answer ({why}). Try again in a moment."


def _next(request: Request) -> str:
    """Where to go on: a page of ours, never another site's."""
    wanted = request.query_params.get("next", "/")
    return wanted if wanted.startswith("/") and not wanted.startswith(("//", "/\\")) else "/"


def _asked(scope: Scope) -> str:
    query = scope["query_string"].decode("latin-1")
    return scope["path"] + (f"?{query}" if query else "")


def _text(asked: FormData, name: str) -> str:
    value = asked.get(name)
    return value.strip() if isinstance(value, str) else ""


def _page(then: str, trouble: str, operator: str = "") -> Markup:
    form = tag(
        "form",
        tag("div", LOGO, tag("h1", "Sign in to Spreader"), class_="signin-head"),
        tag("p", trouble, class_="notice notice-bad", role="alert") if trouble else None,
        _field("key", "API key", "password", "current-password", "The one that your programs send with.", True),
        _field("operator", "Your name", "text", "name", "It stands beside what you change.", False, operator),
        tag("button", "Sign in", type="submit", class_="button button-main"),
        method="post", action=f"{SIGN_IN}?next={quote(then)}", class_="card signin",
    )  # fmt: skip
    title = tag("title", "Sign in · Spreader")
    return together(
        Markup("<!doctype html>"),
        tag("html", tag("head", title, HEAD), tag("body", tag("main", form), class_="body--auto"), lang="en"),
    )


def _field(name: str, label: str, kind: str, complete: str, words: str, required: bool, value: str = "") -> Markup:
    return tag(
        "label",
        tag("span", label, class_="field-label"),
        tag("input", name=name, type=kind, autocomplete=complete, required=required, value=value, maxlength=500,
            autofocus=required, aria_describedby=f"{name}-words"),
        tag("span", words, class_="field-words", id=f"{name}-words"),
        class_="field",
    )  # fmt: skip
