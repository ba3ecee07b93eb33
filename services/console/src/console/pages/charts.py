"""Charts page: messages sent, delivered, read, failed and received, by minute, hour and day."""

from datetime import datetime
from zoneinfo import ZoneInfo

from markupsafe import Markup

from console.core import formats
from console.core.api_models import ApiHistory, ApiHistoryPoint
from console.core.markup import tag
from console.core.timeline import fill_gaps
from console.data.polling_cache import Query
from console.theme import SERIES
from console.ui import components
from console.ui.elements import html
from console.ui.forecast import Column, column_chart
from console.ui.live_page import LivePage
from console.ui.page_context import PACKAGES
from console.ui.page_heads import package_head

BY = (
    ("minute", "Last 2 hours, by minute", "%H:%M"),
    ("hour", "Last 2 days, by hour", "%H"),
    ("day", "Last 30 days, by day", "%d %b"),
)


def history_query(package_id: str, by: str, zone: str) -> Query[ApiHistory]:
    path = f"/history?package_id={package_id}&by={by}&timezone={zone}"
    return Query("stats", path, ApiHistory, interval_seconds=3.0)


async def show(page: LivePage, package_id: str) -> None:
    context = page.context
    await context.cache.load(PACKAGES)
    zone = context.zone(package_id)
    queries = [history_query(package_id, by, zone) for by, _, _ in BY]
    await context.cache.load(*queries)
    package_head(page, package_id, f"Times in {zone}.")
    page.stale_notices(lambda: context.page_data(queries[1], "history"))
    html(_legend())
    for query, (by, name, mark) in zip(queries, BY, strict=True):

        def render(query: Query[ApiHistory] = query, name: str = name, mark: str = mark) -> Markup:
            def build(history: ApiHistory | None) -> Markup:
                return _chart(history, name, mark, zone, context.now())

            return context.cache.memo(query, build, context.latest(query))

        page.live_html(render, testid=f"chart-{by}")


def _legend() -> Markup:
    return tag(
        "div",
        *(
            tag("span", tag("i", style=f"background:{SERIES[name]}"), name)
            for name in ("read", "delivered", "sent", "failed", "received")
        ),
        class_="legend",
    )


def _chart(history: ApiHistory | None, name: str, mark: str, zone: str, now: datetime) -> Markup:
    if history is None:
        return components.card(tag("p", formats.UNKNOWN, class_="soft"), title=name)
    if not history.data:
        return components.card(tag("p", "Nothing was sent or received in this time.", class_="soft"), title=name)
    points = fill_gaps(history, zone)
    sent = [_sent_column(point, mark, zone, now) for point in points]
    received = [_received_column(point, mark, zone, now) for point in points]
    all_sent, all_received = sum(point.sent for point in history.data), sum(point.received for point in history.data)
    totals = f"{formats.count(all_sent)} sent, {formats.count(all_received)} received"
    parts = [column_chart(sent, f"{name}: sent")]
    if all_received:
        parts.append(column_chart(received, f"{name}: received"))
    return components.card(*parts, title=name, beside=tag("span", totals, class_="soft small num"))


def _sent_column(point: ApiHistoryPoint, mark: str, zone: str, now: datetime) -> Column:
    delivered, read = max(point.delivered - point.read, 0), point.read
    accepted = max(point.sent - point.delivered, 0)
    words = (
        f"{formats.clock(point.at, zone, now)}: {point.sent} sent, {point.delivered} delivered, "
        f"{point.read} read, {point.failed} failed"
    )
    parts = [
        (SERIES["read"], read),
        (SERIES["delivered"], delivered),
        (SERIES["sent"], accepted),
        (SERIES["failed"], point.failed),
    ]
    return words, point.at.astimezone(ZoneInfo(zone)).strftime(mark), parts


def _received_column(point: ApiHistoryPoint, mark: str, zone: str, now: datetime) -> Column:
    words = f"{formats.clock(point.at, zone, now)}: {point.received} received"
    return words, point.at.astimezone(ZoneInfo(zone)).strftime(mark), [(SERIES["received"], point.received)]
