"""Assembly of the console: the one place that knows which parts are real."""

from fastapi import FastAPI
from nicegui import ui

from console.page import board_page
from console.poller import Poller
from console.settings import ConsoleSettings
from spreader.clock import wall_now
from spreader.loop import Loop
from spreader.service import Service


def build(settings: ConsoleSettings) -> FastAPI:
    """One process, one console: NiceGUI keeps its pages in memory, so run one replica (or sticky sessions)."""
    poller = Poller(settings, wall_now)
    app = Service("console", [poller, Loop("ask the services", poller.turn)]).app(title="Spreader console")

    def root() -> None:
        board_page(poller.board, settings.ingress_url)

    ui.run_with(app, root=root, title="Spreader", dark=None, tailwind=False, show_welcome_message=False)
    return app
