"""Acting: asking a service to do something, and telling the operator in one sentence what came of it."""

from typing import Any

from nicegui import ui

from console.data.api import Answer, Away, Given, Refused, Service
from console.ui.page_context import Desk


async def act(desk: Desk, method: str, service: Service, path: str, body: Any = None, *, said: str) -> Given | None:
    """The answer, or None with the reason shown; `said` is shown where it went well."""
    answer = await desk.api.call(method, service, path, body)
    if isinstance(answer, Given):
        tell(said)
        return answer
    tell(trouble(answer, service), bad=True)
    return None


def trouble(answer: Answer, service: Service) -> str:
    """Why nothing came of it; empty where something did."""
    match answer:
        case Away(why):
            return f"The {service} gives no answer ({why}). Look whether it was done, then try again."
        case Refused(401):
            return "The API key is not taken any more. Sign out, and in again with the new one."
        case Refused(_, _, detail):
            return detail
        case Given():
            return ""


def tell(words: str, bad: bool = False) -> None:
    ui.notify(words, type="negative" if bad else "positive", position="bottom-right", multi_line=len(words) > 80,
              timeout=9_000 if bad else 4_000, close_button="Close")  # fmt: skip
