"""Downloads: files of the stats, passed on to the browser of who is signed in, piece by piece."""

import re

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, Response, StreamingResponse

from console.data.api import Away, Refused, Stream
from console.data.polling_caches import Feeds
from console.data.sessions import Sessions
from console.ui.auth import of_cookies

MOUNT = "/downloads"

_FILE = re.compile(r"(history|profiles|messages|alerts)\.(csv|xlsx|parquet)")


def install(app: FastAPI, sessions: Sessions, feeds: Feeds) -> None:
    async def download(name: str, request: Request) -> Response:
        session = of_cookies(sessions, request.cookies)
        if session is None or _FILE.fullmatch(name) is None:
            return PlainTextResponse("There is no such file.", 404)
        asked = f"/exports/{name}?{request.url.query}"
        match await feeds.api(session.key, session.operator).stream("stats", asked):
            case Stream() as stream:
                kind = stream.response.content_type
                headers = {"Content-Disposition": f'attachment; filename="{name}"'}
                return StreamingResponse(stream.pieces(), media_type=kind, headers=headers)
            case Refused(status, _, detail):
                return PlainTextResponse(f"The stats refuse this: {detail}", status)
            case Away(why):
                return PlainTextResponse(f"The stats give no answer ({why}). Try again in a moment.", 503)

    app.add_api_route(MOUNT + "/{name}", download, methods=["GET"], include_in_schema=False)
