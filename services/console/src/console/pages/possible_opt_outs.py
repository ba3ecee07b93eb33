"""Possible opt-outs: the part of the consent page that shows messages that probably ask for no more messages. An
operator decides about each."""

from typing import Any

from nicegui import ui

from console.core import formats
from console.core.api_models import ApiPossibleOptOut, ApiPossibleOptOuts
from console.core.markup import tag
from console.data.polling_cache import Query
from console.ui.actions import run_action
from console.ui.elements import button, html, stack
from console.ui.live_page import LivePage

ROWS = 100


class PossibleOptOutCard:
    def __init__(self, page: LivePage, package_id: str) -> None:
        self._page = page
        self._package_id = package_id
        self._path = f"/packages/{package_id}/possible-opt-outs"
        self._query = Query("ingress", f"{self._path}?limit={ROWS}", ApiPossibleOptOuts, interval_seconds=5.0)
        self._shown: Any = None

    def build(self) -> None:
        words = "These customers may have asked for no more messages. Read what they wrote, and decide."
        html(tag("div", tag("h2", "Possible opt-outs"), tag("p", words, class_="soft small")))
        self._content = stack("stack tight")
        self._page.on_update(self._update)

    def _update(self) -> None:
        entries = self._page.context.latest(self._query)
        names = self._page.context.all_profile_names(self._package_id)
        if entries is None or (entries, names) == self._shown:
            return
        self._shown = (entries, names)
        self._content.clear()
        with self._content:
            if not entries.data:
                html(tag("p", "There are no possible opt-outs to decide on.", class_="soft"))
            for entry in entries.data:
                self._build_entry(entry)
            if entries.next_cursor is not None:
                html(tag("p", f"The first {ROWS} are shown. Decide about them to see others.", class_="soft small"))

    def _build_entry(self, entry: ApiPossibleOptOut) -> None:
        ending = entry.recipient[-4:]
        with stack("line").style("justify-content:space-between").props(f'data-testid="possible-{entry.recipient}"'):
            names = self._page.context.all_profile_names(self._package_id)
            when = (
                f"to {names.get(entry.profile_id, entry.profile_id)}, {formats.ago(entry.at, self._page.context.now())}"
            )
            who = tag("span", formats.phone(entry.recipient), class_="num")
            html(tag("div", who, " ", tag("q", entry.text), " ", tag("span", when, class_="soft small")))
            with ui.element("div").classes("line"):
                suppress = button("Suppress", lambda: self._decide(entry.recipient, "suppress", "Suppressed."))
                suppress.props(f'aria-label="Suppress the number ending in {ending}"')
                dismiss = button(
                    "Dismiss", lambda: self._decide(entry.recipient, "dismiss", "Dismissed."), "button-bare"
                )
                dismiss.props(f'aria-label="Dismiss the message of the number ending in {ending}"')

    async def _decide(self, recipient: str, decision: str, success: str) -> None:
        path = f"{self._path}/{recipient}/{decision}"
        if await run_action(self._page.context, "POST", "ingress", path, success=success):
            self._page.context.cache.refresh(self._query)
