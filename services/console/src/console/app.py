"""Assembly of the console: the one place that knows which parts are real."""

from datetime import timedelta

from fastapi import FastAPI
from nicegui import ui

from console.data.polling_caches import Feeds
from console.data.sessions import Sessions
from console.settings import ConsoleSettings
from console.theme import COLOURS_COOKIE, FAVICON, colours
from console.ui import auth, downloads
from console.ui.layout import build_shell
from console.ui.page_context import Desk
from console.ui.uploads import Uploads
from spreader.clock import clock_from_environment, wall_now
from spreader.runtime.loop import Loop
from spreader.runtime.service import Service


def build(settings: ConsoleSettings) -> FastAPI:
    """One process, one console: NiceGUI keeps its pages in memory, so run one replica (or sticky sessions)."""
    now = clock_from_environment()
    lasts = timedelta(hours=settings.console_session_hours)
    sessions = Sessions(settings.console_secret, lasts, wall_now)
    feeds = Feeds(settings, wall_now)
    app = Service("console", [feeds, Loop("ask the services", feeds.turn)]).app(title="Spreader console")
    downloads.install(app, sessions, feeds)
    uploads = Uploads()
    uploads.install(app)
    auth.install(app, sessions, feeds, settings.console_secure_cookie)

    def root() -> None:
        request = ui.context.client.request
        session = auth.of_cookies(sessions, request.cookies)
        if session is None:  # it ended between the gate and here
            ui.navigate.to(auth.SIGN_IN)
            return
        feed = feeds.of(session.key, session.operator)
        desk = Desk(session, sessions, feed, now, wall_now, uploads)
        build_shell(desk, colours(request.cookies.get(COLOURS_COOKIE)))

    ui.run_with(
        app, root=root, title="Spreader", dark=None, tailwind=False, show_welcome_message=False, favicon=FAVICON,
        language="en-US", binding_refresh_interval=None, message_history_length=100, reconnect_timeout=15.0,
    )  # fmt: skip
    return app
