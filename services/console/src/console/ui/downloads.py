"""Downloads: an endpoint that streams the export files of the stats service to a browser that is signed in."""

import re
from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from markupsafe import Markup

from console.core.markup import join, tag
from console.data.api import CallFailed, CallRefused, ExportStream
from console.data.polling_cache import PollingCaches
from console.data.sessions import Sessions
from console.theme import HEAD
from console.ui.auth import session_of_cookies
from spreader.http.file_stream import FileStream

MOUNT = "/downloads"

_FILE = re.compile(r"(history|profiles|messages|alerts)\.(csv|xlsx|parquet)")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
TOO_MANY = 429


def install(app: FastAPI, sessions: Sessions, caches: PollingCaches) -> None:
    async def download(name: str, request: Request) -> Response:
        session = session_of_cookies(sessions, request.cookies)
        if session is None or _FILE.fullmatch(name) is None:
            return PlainTextResponse("There is no such file.", 404)
        path = f"/exports/{name}?{request.url.query}"
        package_id = request.query_params.get("package_id", "")
        package_id = package_id if _ID.fullmatch(package_id) else ""
        match await caches.api(session.key, session.operator).stream("stats", path):
            case ExportStream() as stream:
                file_name = f"{package_id}-{name}" if package_id else name
                headers = {"Content-Disposition": f'attachment; filename="{file_name}"'}
                return FileStream(stream.chunks(), stream.response.content_type, headers, stream.close)
            case CallRefused(status, _, detail, _, retry_after):
                title = "Too many exports run now" if status == TOO_MANY else "Stats refuses this export"
                return _page(package_id, title, detail, status, {"Retry-After": retry_after} if retry_after else {})
            case CallFailed(reason):
                detail = f"Stats does not respond ({reason}). Try again shortly."
                return _page(package_id, "The export has failed", detail, 503, {})

    app.add_api_route(MOUNT + "/{name}", download, methods=["GET"], include_in_schema=False)


def _page(package_id: str, title: str, detail: str, status: int, headers: Mapping[str, str]) -> Response:
    """The error page for an operator whose export has failed."""
    wait = f"Try again in {headers['Retry-After']} s." if headers else None
    back = f"/packages/{package_id}/reports" if package_id else "/"
    content = tag(
        "main",
        tag(
            "div",
            tag("h1", title),
            tag("p", detail, role="alert"),
            tag("p", wait) if wait else None,
            tag("p", tag("a", "Back to the reports", href=back)),
            class_="card signin",
        ),
    )
    head = tag("head", tag("title", f"{title} · Spreader"), HEAD)
    page = join(Markup("<!doctype html>"), tag("html", head, tag("body", content, class_="body--auto"), lang="en"))
    return HTMLResponse(page, status, headers)
