"""Actions: calls that change something at a service. A notification shows the operator the result."""

from typing import Any

from nicegui import ui

from console.data.api import SIGNED_OUT, CallFailed, CallRefused, CallResult, CallSucceeded, Service
from console.ui.page_context import PageContext

NAMES = {"ingress": "the server", "stats": "statistics"}


async def run_action(
    context: PageContext, method: str, service: Service, path: str, body: Any = None, *, success: str
) -> CallSucceeded | None:
    """Call the service. Then show the text `success` or an error. Returns None after an error."""
    result = await context.api.call(method, service, path, body)
    if isinstance(result, CallSucceeded):
        notify(success)
        return result
    notify(error_text(result, service), is_error=True)
    return None


def error_text(result: CallResult, service: Service) -> str:
    """Why a call did not succeed. Empty if the call succeeded."""
    match result:
        case CallFailed(reason):
            return f"No answer from {NAMES[service]} ({reason}). Check whether it was done, then try again."
        case CallRefused(401, code) if code != SIGNED_OUT.code:
            return "The API key is no longer valid. Sign out, and sign in with the new one."
        case CallRefused(_, _, detail):
            return detail
        case CallSucceeded():
            return ""


def notify(text: str, is_error: bool = False) -> None:
    ui.notify(
        text,
        type="negative" if is_error else "positive",
        position="bottom-right",
        multi_line=len(text) > 80,
        timeout=9_000 if is_error else 4_000,
        close_button="Close",
    )
