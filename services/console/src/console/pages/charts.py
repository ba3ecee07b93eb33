"""Charts page: what was sent, delivered, read, failed and received, by hour and by day."""

from datetime import datetime
from zoneinfo import ZoneInfo

from markupsafe import Markup

from console.core import formats
from console.core.api_models import History, Moment
from console.core.markup import tag
from console.core.timeline import filled
from console.data.polling_cache import Question
from console.pages.package import title
from console.theme import SERIES
from console.ui import components
from console.ui.elements import html
from console.ui.forecast import Stack, columns
from console.ui.live_page import Screen
from console.ui.page_context import PACKAGES

BY = (
    ("minute", "Last 2 hours, by minute", "%H:%M"),
    ("hour", "Last 2 days, by hour", "%H"),
    ("day", "Last 30 days, by day", "%d %b"),
)


def history_of(package_id: str, by: str, zone: str) -> Question[History]:
    path = f"/history?package_id={package_id}&by={by}&timezone={zone}"
    return Question("stats", path, History, every_seconds=3.0)


async def show(screen: Screen, package_id: str) -> None:
    desk = screen.desk
    await desk.feed.first(PACKAGES)
    package = desk.package(package_id)
    zone = package.timezone if package else "UTC"
    asked = [history_of(package_id, by, zone) for by, _, _ in BY]
    await desk.feed.first(*asked)
    title(screen, package_id, f"Counted once each, by the clock of {zone}.")
    screen.notices(lambda: desk.part(asked[1], "history"))
    html(_legend())
    for question, (by, name, mark) in zip(asked, BY, strict=True):
        screen.piece(lambda question=question, name=name, mark=mark: desk.feed.memo(
            question, lambda known: _chart(known, name, mark, zone, desk.now()), desk.look(question)),
            testid=f"chart-{by}")  # fmt: skip


def _legend() -> Markup:
    return tag("div", *(tag("span", tag("i", style=f"background:{SERIES[name]}"), name) for name in
                        ("read", "delivered", "sent", "failed", "received")), class_="legend")  # fmt: skip


def _chart(known: History | None, name: str, mark: str, zone: str, now: datetime) -> Markup:
    if known is None:
        return components.card(tag("p", formats.UNKNOWN, class_="soft"), title=name)
    if not known.data:
        return components.card(tag("p", "Nothing happened in this time.", class_="soft"), title=name)
    moments = filled(known, zone)
    sent = [_stack(each, mark, zone, now) for each in moments]
    received = [_received(each, mark, zone, now) for each in moments]
    all_sent, all_received = sum(each.sent for each in known.data), sum(each.received for each in known.data)
    totals = f"{formats.count(all_sent)} sent, {formats.count(all_received)} received"
    parts = [columns(sent, f"{name}: sent")]
    if all_received:
        parts.append(columns(received, f"{name}: received"))
    return components.card(*parts, title=name, beside=tag("span", totals, class_="soft small num"))


def _stack(moment: Moment, mark: str, zone: str, now: datetime) -> Stack:
    delivered, read = max(moment.delivered - moment.read, 0), moment.read
    accepted = max(moment.sent - moment.delivered, 0)
    words = (f"{formats.clock(moment.at, zone, now)}: {moment.sent} sent, {moment.delivered} delivered, "
             f"{moment.read} read, {moment.failed} failed")  # fmt: skip
    parts = [
        (SERIES["read"], read),
        (SERIES["delivered"], delivered),
        (SERIES["sent"], accepted),
        (SERIES["failed"], moment.failed),
    ]
    return words, moment.at.astimezone(ZoneInfo(zone)).strftime(mark), parts


def _received(moment: Moment, mark: str, zone: str, now: datetime) -> Stack:
    words = f"{formats.clock(moment.at, zone, now)}: {moment.received} received"
    return words, moment.at.astimezone(ZoneInfo(zone)).strftime(mark), [(SERIES["received"], moment.received)]
