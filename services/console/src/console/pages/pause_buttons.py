"""Pausing: the buttons that pause a package or a profile and resume it, and that open what was closed by itself."""

from collections.abc import Callable
from typing import Any

from nicegui import ui

from console.data.polling_cache import Question
from console.ui.actions import act
from console.ui.live_page import Screen
from console.ui.page_context import STATES


def pause_button(
    screen: Screen, address: str, noun: str, is_paused: Callable[[], bool | None], shown_by: Question[Any]
) -> None:
    """`address`: of the package or profile in the API; `is_paused` is None while nobody knows."""

    async def press() -> None:
        verb = "resume" if is_paused() else "pause"
        if await act(screen.desk, "POST", "ingress", f"{address}/{verb}", said=f"The {noun} is {verb}d."):
            screen.desk.feed.again(shown_by)

    button = ui.button(on_click=press, color=None).props('flat no-caps data-testid="pause"').classes("button")

    def look() -> None:
        paused = is_paused()
        button.set_text(f"Resume the {noun}" if paused else f"Pause the {noun}")
        button.set_enabled(paused is not None)

    screen.follow(look)


def reopen_button(screen: Screen, profile_id: str) -> None:
    """There while a lane is closed. Who presses it knows better than the signs; what is still wrong closes again."""

    async def press() -> None:
        path, body = f"/profiles/{profile_id}/resume", {"by": screen.desk.session.operator or "an operator"}
        if await act(screen.desk, "POST", "stats", path, body, said="Its lanes are open again."):
            screen.desk.feed.again(STATES)

    button = ui.button("It works again", on_click=press, color=None).props('flat no-caps data-testid="reopen"')
    button.classes("button").tooltip("Opens what was closed because of signs of trouble")

    def look() -> None:
        known = screen.desk.look(STATES)
        fares = None if known is None else known.of(profile_id)
        button.set_visibility(fares is not None and "blocked" in (fares.open.state, fares.reply.state))

    screen.follow(look)
