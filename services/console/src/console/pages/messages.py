"""Messages page: the newest messages of a package and the progress of each."""

from collections.abc import Mapping
from datetime import datetime

from markupsafe import Markup

from console.core import formats
from console.core.api_models import ApiMessage, ApiMessageList
from console.core.markup import join, tag
from console.core.progress import done, finished_words, parts, status_words
from console.data.polling_cache import Query
from console.ui import components
from console.ui.live_page import LivePage
from console.ui.page_context import PACKAGES
from console.ui.page_heads import package_head

LIMIT = 50


async def show(page: LivePage, package_id: str) -> None:
    context = page.context
    messages = Query("ingress", f"/packages/{package_id}/messages?limit={LIMIT}", ApiMessageList, interval_seconds=1.5)
    await context.cache.load(PACKAGES, messages)
    package_head(
        page, package_id, f"The newest {LIMIT}. Open one to see every delivery, why it waits, and to cancel the rest."
    )
    page.stale_notices(lambda: context.page_data(messages, "messages"))

    def render() -> Mapping[str, Markup]:
        latest = context.latest(messages)
        if latest is None:
            return {}
        zone, now = context.zone(package_id), context.now()
        return {message.message_id: _card(package_id, message, zone, now) for message in latest.data}

    def placeholder() -> Markup:
        latest = context.latest(messages)
        return join() if latest is None or latest.data else _empty(package_id)

    def kept() -> Markup:
        latest = context.latest(messages)
        if latest is None or latest.kept_days is None:
            return join()
        days = formats.plain(latest.kept_days)
        return tag("p", f"A message is deleted {days} days after its last event.", class_="soft small")

    page.live_html(placeholder)
    page.fade_when_old(page.live_rows(render, "stack tight"), lambda: context.is_old(messages))
    page.live_html(kept)


def _card(package_id: str, message: ApiMessage, zone: str, now: datetime) -> Markup:
    status = components.badge(*status_words(message))
    name = tag("b", f"{message.type.title()}, {message.lane}")
    when = tag("span", formats.clock(message.accepted_at, zone, now), class_="soft num")
    total = tag("span", finished_words(message), class_="soft num")
    top = tag(
        "div", tag("div", name, status, class_="line"), tag("div", total, when, class_="line small"), class_="card-head"
    )
    bar = components.parts_bar(parts(message), message.recipients, f"{done(message)} of {message.recipients} done")
    address = f"/packages/{package_id}/messages/{message.message_id}"
    return tag("a", top, bar, class_="card", style="gap:0", href=address, data_testid=f"message-{message.message_id}")


def _empty(package_id: str) -> Markup:
    words = tag("p", "What you send from here or through the API shows up in this list.")
    make = components.link("Compose a message", f"/packages/{package_id}/compose", "button button-main", "compose")
    return tag("div", components.empty("messages", "No messages yet", words, make), class_="card")
