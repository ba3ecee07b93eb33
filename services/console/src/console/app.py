"""Assembly: builds the console from its settings."""

from datetime import timedelta

from fastapi import FastAPI
from nicegui import ui

from console.data.polling_cache import PollingCaches
from console.data.sessions import Sessions
from console.metrics import OPEN_PAGES
from console.pages import ROUTES
from console.settings import ConsoleSettings
from console.theme import COLOURS_COOKIE, FAVICON, colours
from console.ui import auth, downloads
from console.ui.layout import build_layout
from console.ui.live_page import open_pages
from console.ui.page_context import PageContext
from console.ui.uploads import UploadFields
from spreader.clock import clock_from_environment, wall_now
from spreader.runtime.loop import Loop
from spreader.runtime.service import Service


def build(settings: ConsoleSettings) -> FastAPI:
    """The web application.

    NiceGUI keeps open pages in the memory of one process. So run one replica, or use sticky sessions.
    """
    now = clock_from_environment()
    OPEN_PAGES.set_function(open_pages)
    lifetime = timedelta(hours=settings.console_session_hours)
    sessions = Sessions(settings.console_secret, lifetime, wall_now)
    caches = PollingCaches(settings, wall_now)
    app = Service("console", [caches, Loop("ask the services", caches.poll)]).app(title="Spreader console")
    downloads.install(app, sessions, caches)
    uploads = UploadFields()
    uploads.install(app)
    auth.install(app, sessions, caches, settings.console_secure_cookie)

    def root() -> None:
        request = ui.context.client.request
        session = auth.session_of_cookies(sessions, request.cookies)
        if session is None:  # the session expired after the sign-in check
            ui.navigate.to(auth.SIGN_IN)
            return
        cache = caches.get(session.key, session.operator)
        context = PageContext(session, sessions, cache, now, wall_now, uploads)
        build_layout(context, colours(request.cookies.get(COLOURS_COOKIE)), ROUTES)

    ui.run_with(
        app,
        root=root,
        title="Spreader",
        dark=None,
        tailwind=False,
        show_welcome_message=False,
        favicon=FAVICON,
        language="en-US",
        binding_refresh_interval=None,
        message_history_length=100,
        reconnect_timeout=15.0,
    )
    return app
