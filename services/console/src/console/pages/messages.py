"""Messages page: what a package was asked to send, newest first, each with how far it has come."""

from collections.abc import Mapping
from datetime import datetime

from markupsafe import Markup

from console.core import formats
from console.core.api_models import Message, Messages
from console.core.markup import tag, together
from console.core.progress import done, parts, tone
from console.data.polling_cache import Question
from console.pages.package import title
from console.ui import components
from console.ui.live_page import Screen
from console.ui.page_context import PACKAGES

LIMIT = 50


async def show(screen: Screen, package_id: str) -> None:
    desk = screen.desk
    messages = Question("ingress", f"/packages/{package_id}/messages?limit={LIMIT}", Messages, every_seconds=1.5)
    await desk.feed.first(PACKAGES, messages)
    title(
        screen, package_id, f"The newest {LIMIT}. Open one to see every delivery, why it waits, and to cancel the rest."
    )
    screen.notices(lambda: desk.part(messages, "messages"))

    def zone() -> str:
        package = desk.package(package_id)
        return package.timezone if package else "UTC"

    def paint() -> Mapping[str, Markup]:
        known = desk.look(messages)
        if known is None:
            return {}
        return {each.message_id: _card(package_id, each, zone(), desk.now()) for each in known.data}

    def nothing() -> Markup:
        known = desk.look(messages)
        return together() if known is None or known.data else _empty(package_id)

    screen.piece(nothing)
    screen.dim(screen.rows(paint, "stack tight"), lambda: desk.is_old(messages))


def _card(package_id: str, message: Message, zone: str, now: datetime) -> Markup:
    status = components.badge(message.status.replace("_", " "), tone(message.status))
    name = tag("b", f"{message.type.title()}, {message.lane}")
    when = tag("span", formats.clock(message.accepted_at, zone, now), class_="soft num")
    total = tag(
        "span", f"{formats.count(done(message))} of {formats.count(message.recipients)} done", class_="soft num"
    )
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
