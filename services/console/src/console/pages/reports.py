"""Reports page: the success rates of profiles, and links to the export files."""

from collections.abc import Sequence

from markupsafe import Markup

from console.core import formats
from console.core.api_models import ApiProfileReportList
from console.core.markup import tag
from console.data.polling_cache import Query
from console.ui import components
from console.ui.downloads import MOUNT
from console.ui.elements import html
from console.ui.live_page import LivePage
from console.ui.page_context import PACKAGES, profiles_query
from console.ui.page_heads import package_head

EXPORTS = (
    ("history", "Counts by hour and phone", "&by=hour&each=profile"), ("profiles", "Success rates of phones", ""),
    ("messages", "Success rates of messages", ""), ("alerts", "Alerts with their evidence", "&state=all"),
)  # fmt: skip
FORMATS = ("csv", "xlsx", "parquet")


async def show(page: LivePage, package_id: str) -> None:
    context = page.context
    report = Query("stats", f"/reports/profiles?package_id={package_id}", ApiProfileReportList, interval_seconds=10.0)
    await context.cache.load(PACKAGES, report, profiles_query(package_id))
    package_head(page, package_id, "How many messages arrived, were read and were answered in the last 30 days.")
    page.stale_notices(lambda: context.page_data(report, "success rates"))

    def render() -> Markup:
        return _rates(context.latest(report), context.profile_names(package_id))

    page.live_html(render, testid="rates")
    html(_exports(package_id))


def _rates(report: ApiProfileReportList | None, names: dict[str, str]) -> Markup:
    if report is None:
        return components.card(tag("p", formats.UNKNOWN, class_="soft"), title="By phone")
    heads = ("Phone", "Sent", "Delivered", "Read", "Failed", "Answered", "Received")
    lines: list[Sequence[str]] = [
        (
            names.get(row.profile_id, row.profile_id),
            formats.count(row.sent),
            formats.share(row.rates.delivered),
            formats.share(row.rates.read),
            formats.share(row.rates.failed),
            formats.share(row.rates.answered),
            formats.count(row.received),
        )
        for row in report.data
    ]
    return components.card(components.table(heads, lines, numbers=range(1, 7), testid="report"), title="By phone")


def _exports(package_id: str) -> Markup:
    lines = [
        (words, tag("div", *(_link(what, name, package_id, more) for name in FORMATS), class_="line"))
        for what, words, more in EXPORTS
    ]
    return components.card(components.table(("Report", "File"), lines), title="Export", testid="exports")


def _link(what: str, name: str, package_id: str, more: str) -> Markup:
    address = f"{MOUNT}/{what}.{name}?package_id={package_id}{more}"
    return tag(
        "a",
        name.upper(),
        href=address,
        class_="button",
        target="_blank",  # because a refused export opens a page of its own
        aria_label=f"{what} as {name}",
    )
