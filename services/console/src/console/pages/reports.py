"""Reports page: success rates by profile and message, and everything as a file."""

from collections.abc import Sequence

from markupsafe import Markup

from console import pieces
from console.core import figures
from console.core.markup import tag
from console.core.shapes import ProfileReports
from console.desk import PACKAGES, profiles_of
from console.downloads import MOUNT
from console.elements import html
from console.feed import Question
from console.pages.package import title
from console.screen import Screen

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
        return pieces.card(tag("p", figures.UNKNOWN, class_="soft"), title="By profile")
    heads = ("Profile", "Sent", "Delivered", "Read", "Failed", "Answered", "Received")
    lines: list[Sequence[str]] = [
        (
            names.get(each.profile_id, each.profile_id), figures.count(each.sent), figures.share(each.rates.delivered),
            figures.share(each.rates.read), figures.share(each.rates.failed), figures.share(each.rates.answered),
            figures.count(each.received),
        )
        for each in report.data
    ]  # fmt: skip
    return pieces.card(pieces.table(heads, lines, numbers=range(1, 7), testid="report"), title="By profile")


def _exports(package_id: str) -> Markup:
    lines = [
        (words, tag("div", *(_link(what, name, package_id, more) for name in FORMATS), class_="line"))
        for what, words, more in EXPORTS
    ]
    note = tag("p", "Files are written while you load them: a year is no problem.", class_="soft small")
    return pieces.card(pieces.table(("What", "As a file"), lines), note, title="Export", testid="exports")


def _link(what: str, name: str, package_id: str, more: str) -> Markup:
    address = f"{MOUNT}/{what}.{name}?package_id={package_id}{more}"
    return tag("a", name.upper(), href=address, class_="button", download=f"{package_id}-{what}.{name}",
               aria_label=f"{what} as {name}")  # fmt: skip
