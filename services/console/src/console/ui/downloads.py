"""Downloads: an endpoint that streams the export files of the stats service to a browser that is signed in."""

import re

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, Response, StreamingResponse

from console.data.api import CallFailed, CallRefused, ExportStream
from console.data.polling_cache import PollingCaches
from console.data.sessions import Sessions
from console.ui.auth import session_of_cookies

MOUNT = "/downloads"

_FILE = re.compile(r"(history|profiles|messages|alerts)\.(csv|xlsx|parquet)")


def install(app: FastAPI, sessions: Sessions, caches: PollingCaches) -> None:
    async def download(name: str, request: Request) -> Response:
        session = session_of_cookies(sessions, request.cookies)
        if session is None or _FILE.fullmatch(name) is None:
            return PlainTextResponse("There is no such file.", 404)
        path = f"/exports/{name}?{request.url.query}"
        match await caches.api(session.key, session.operator).stream("stats", path):
            case ExportStream() as stream:
                kind = stream.response.content_type
                headers = {"Content-Disposition": f'attachment; filename="{name}"'}
                return StreamingResponse(stream.chunks(), media_type=kind, headers=headers)
            case CallRefused(status, _, detail):
                return PlainTextResponse(f"The stats refuse this: {detail}", status)
            case CallFailed(reason):
                return PlainTextResponse(f"The stats give no answer ({reason}). Try again in a moment.", 503)

    app.add_api_route(MOUNT + "/{name}", download, methods=["GET"], include_in_schema=False)
