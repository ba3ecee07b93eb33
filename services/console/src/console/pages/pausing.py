"""Pausing: the button that pauses a package or a profile, and resumes it."""

from collections.abc import Callable
from typing import Any

from nicegui import ui

from console.acting import act
from console.feed import Question
from console.screen import Screen


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
