"""Hidden messages: the part of the consent page that shows messages of people whose number is not known."""

from typing import Any

from console.core import formats
from console.core.api_models import ApiHiddenMessages
from console.core.markup import join, tag
from console.data.polling_cache import Query
from console.ui import components
from console.ui.elements import html
from console.ui.live_page import LivePage

ROWS = 100
_WORDS = """WhatsApp hides the number of these people. An opt-out among these messages takes effect when the number is \
known: with a receipt of a message that we send them, or with a message that shows it."""


class HiddenMessageCard:
    """A card with the messages of people whose number is not known. It is invisible while there are no such
    messages."""

    def __init__(self, page: LivePage, package_id: str) -> None:
        self._page = page
        self._package_id = package_id
        path = f"/packages/{package_id}/hidden-messages?limit={ROWS}"
        self._query = Query("ingress", path, ApiHiddenMessages, interval_seconds=5.0)
        self._shown: Any = None

    def build(self) -> None:
        self._content = html(join())
        self._page.on_update(self._update)

    def _update(self) -> None:
        messages = self._page.context.latest(self._query)
        names = self._page.context.all_profile_names(self._package_id)
        if messages is None or (messages, names) == self._shown:
            return
        self._shown = (messages, names)
        if not messages.data:
            self._content.set_content(join())
            return
        now = self._page.context.now()
        lines = [
            (
                names.get(message.profile_id, message.profile_id),
                message.hidden_id,
                message.text or formats.DASH,
                formats.ago(message.at, now),
            )
            for message in messages.data
        ]
        table = components.table(("Phone", "Hidden id", "What they wrote", "When"), lines)
        more = tag("p", f"The first {ROWS} are shown.", class_="soft small") if messages.next_cursor else None
        words = tag("p", _WORDS, class_="soft small")
        card = components.card(words, table, more, title="From hidden numbers", testid="hidden-messages")
        self._content.set_content(card)
