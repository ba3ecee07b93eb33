"""Package page: the package's counts, and a table of its profiles that is updated while they send."""

from collections.abc import Mapping

from markupsafe import Markup

from console.core import formats
from console.core.api_models import ApiPackage, ApiPackageFiguresList, ApiProfileList, ApiProfileStates
from console.core.markup import join, tag
from console.core.profile_table import TableRow, rows
from console.core.queue import ApiQueue
from console.ui import components
from console.ui.elements import html, stack
from console.ui.live_page import LivePage
from console.ui.page_context import PACKAGES, figures_query, queue_query
from console.ui.page_heads import package_head
from console.ui.profile_table import ProfileTable

HEADS = ("Phone", "Hourly", "In 3 hours", "Daily", "Status", "Health", "Next send")


async def show(page: LivePage, package_id: str) -> None:
    context, queue, table = page.context, queue_query(package_id), ProfileTable(page, package_id)
    figures = figures_query(package_id)
    await context.cache.load(PACKAGES, figures, queue, *table.queries())
    await context.cache.load(*table.queries())  # the first answer says which profiles the second query concerns
    package_head(page, package_id, "Limits apply to campaign messages only. Replies are never limited.")
    address = f"/packages/{package_id}"
    add = components.link("Add a phone", f"{address}/new-profile", "button", "plus")
    html(tag("div", add, components.link("All phones of this package", f"{address}/phones", "small"), class_="line"))
    page.stale_notices(
        lambda: context.page_data(PACKAGES, "packages and settings"),
        lambda: context.page_data(figures, "figures"),
        lambda: context.page_data(queue, "queue and limits"),
    )
    page.live_html(
        lambda: context.cache.memo(("tiles", package_id), _tiles, context.latest(queue), context.latest(figures))
    )

    def render() -> Mapping[str, Markup]:
        data = context.package(package_id), table.profiles(), table.states(), context.latest(queue)
        return context.cache.memo(("rows", package_id), _rows, *data)

    with stack("card"):
        table.build_filters()
        page.live_html(lambda: join() if render() else _empty(package_id, table))
        html(tag("div", *(tag("span", name) for name in HEADS), class_="live-head", aria_hidden="true"))
        rows_box = page.live_rows(render)
        table.build_pager()
    page.fade_when_old(rows_box, lambda: context.is_old(queue) and context.is_old(figures))


def _tiles(queue: ApiQueue | None, figures: ApiPackageFiguresList | None) -> Markup:
    mine = figures.data[0] if figures and figures.data else None
    hour, received = (mine.hour.get("sent"), mine.hour.get("received")) if mine else (None, None)
    day = mine.day.get("sent") if mine else None
    rush = (
        f"{formats.plural(queue.profiles_in_rush, 'phone')} slowed down" if queue and queue.profiles_in_rush else None
    )
    gateway = f"{queue.at_gateway.now} of {queue.at_gateway.max}" if queue else formats.DASH
    return components.tiles(
        components.tile("Waiting", formats.count(queue.held if queue else None), rush, "tile-waiting"),
        components.tile("Being sent", gateway, "at the gateway now"),
        components.tile("Sent in the last hour", formats.count(hour), "campaigns and replies", "tile-sent-hour"),
        components.tile("Received in the last hour", formats.count(received), "from customers"),
        components.tile("Sent in 24 hours", formats.count(day), "campaigns and replies"),
    )


def _rows(
    package: ApiPackage | None, profiles: ApiProfileList | None, states: ApiProfileStates | None, queue: ApiQueue | None
) -> Mapping[str, Markup]:
    if package is None or profiles is None:
        return {}
    by_profile = {state.profile_id: state for state in states.data} if states else {}
    paces = {pace.profile_id: pace for pace in queue.profiles} if queue else {}
    shown = rows(package, profiles.data, by_profile, paces)
    return {row.profile_id: _row(row, package.timezone, queue) for row in shown}


def _row(row: TableRow, zone: str, queue: ApiQueue | None) -> Markup:
    address = f"/packages/{row.package_id}/profiles/{row.profile_id}"
    who = tag(
        "div",
        tag("a", row.name, href=address, class_="name"),
        tag("span", row.phone, class_="sub num"),
        class_="stacked",
    )
    states = tag(
        "div",
        components.status_badge(row.status),
        components.status_badge(row.reply) if row.reply else None,
        class_="stacked state",
    )
    after = tag(
        "div",
        tag("span", *_next_send(row, zone, queue), class_="num"),
        tag("span", _waits(row), class_="sub", title=row.why or None),
        class_="stacked",
    )
    return tag(
        "div",
        who,
        *map(components.limit_bar, row.bars),
        states,
        tag("div", components.health_score(row.health, row.is_blocked)),
        after,
        class_="live",
        data_testid=f"profile-{row.profile_id}",
    )


def _next_send(row: TableRow, zone: str, queue: ApiQueue | None) -> tuple[Markup | str, ...]:
    """When the phone sends its next campaign message: `in 4 min`, and the time by the package's clock."""
    if queue is None:
        return (formats.UNKNOWN,)
    if row.next_release is None:
        return (formats.DASH,)
    clock = formats.clock(row.next_release, zone, queue.at)
    return tag("b", formats.until(row.next_release, queue.at)), " ", tag("span", clock, class_="soft small")


def _waits(row: TableRow) -> str:
    if not row.held:
        return "No messages waiting" if row.held == 0 else row.waits_for
    return f"{formats.count(row.held)} waiting · {row.waits_for}"


def _empty(package_id: str, table: ProfileTable) -> Markup:
    if table.shown.is_filtered or table.shown.cursors:
        return components.empty("phone", "No such phone", tag("p", "No phone of this package fits the filter."))
    words = "Add a WhatsApp number that sends the messages of this package."
    add = components.link("Add a phone", f"/packages/{package_id}/new-profile", "button button-main", "plus")
    file = components.link("Import phones", f"/packages/{package_id}/phones/import", "button", "file")
    return components.empty("phone", "No phones yet", tag("p", words), tag("div", add, file, class_="line"))
