"""Reports page: success rates by profile and message, and everything as a file."""

from collections.abc import Sequence

from markupsafe import Markup

from console.core import formats
from console.core.api_models import ProfileReports
from console.core.markup import tag
from console.data.polling_cache import Question
from console.pages.package import title
from console.ui import components
from console.ui.downloads import MOUNT
from console.ui.elements import html
from console.ui.live_page import Screen
from console.ui.page_context import PACKAGES, profiles_of

EXPORTS = (
    ("history", "Counts by hour and profile", "&by=hour&each=profile"), ("profiles", "Success rates of profiles", ""),
    ("messages", "Success rates of messages", ""), ("alerts", "Alerts with their evidence", "&state=all"),
)  # fmt: skip
FORMATS = ("csv", "xlsx", "parquet")


async def show(screen: Screen, package_id: str) -> None:
    desk = screen.desk
    report = Question("stats", f"/reports/profiles?package_id={package_id}", ProfileReports, every_seconds=10.0)
    await desk.feed.first(PACKAGES, report, profiles_of(package_id))
    title(screen, package_id, "How much of what was sent arrived, was read, and was answered, in the last 30 days.")
    screen.notices(lambda: desk.part(report, "success rates"))

    def paint() -> Markup:
        names = {each.profile_id: each.name for each in desk.profiles(package_id)}
        return _rates(desk.look(report), names)

    screen.piece(paint, testid="rates")
    html(_exports(package_id))


def _rates(report: ProfileReports | None, names: dict[str, str]) -> Markup:
    if report is None:
        return components.card(tag("p", formats.UNKNOWN, class_="soft"), title="By profile")
    heads = ("Profile", "Sent", "Delivered", "Read", "Failed", "Answered", "Received")
    lines: list[Sequence[str]] = [
        (
            names.get(each.profile_id, each.profile_id), formats.count(each.sent), formats.share(each.rates.delivered),
            formats.share(each.rates.read), formats.share(each.rates.failed), formats.share(each.rates.answered),
            formats.count(each.received),
        )
        for each in report.data
    ]  # fmt: skip
    return components.card(components.table(heads, lines, numbers=range(1, 7), testid="report"), title="By profile")


def _exports(package_id: str) -> Markup:
    lines = [
        (words, tag("div", *(_link(what, name, package_id, more) for name in FORMATS), class_="line"))
        for what, words, more in EXPORTS
    ]
    note = tag("p", "Files are written while you load them: a year is no problem.", class_="soft small")
    return components.card(components.table(("What", "As a file"), lines), note, title="Export", testid="exports")


def _link(what: str, name: str, package_id: str, more: str) -> Markup:
    address = f"{MOUNT}/{what}.{name}?package_id={package_id}{more}"
    return tag("a", name.upper(), href=address, class_="button", download=f"{package_id}-{what}.{name}",
               aria_label=f"{what} as {name}")  # fmt: skip
