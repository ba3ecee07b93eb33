"""Package page: the live table of its profiles, and what it does now."""

from collections.abc import Mapping

from markupsafe import Markup

from console.core import formats
from console.core.api_models import Package, Profiles, States
from console.core.markup import tag, together
from console.core.profile_table import Row, rows
from console.core.queue import Queue
from console.pages.pause_buttons import pause_button
from console.ui import components
from console.ui.elements import html, stack
from console.ui.live_page import Screen
from console.ui.page_context import PACKAGES, STATES, profiles_of, queue_of

HEADS = ("Profile", "Hourly", "In 3 hours", "Daily", "State", "Health", "Next release")


async def show(screen: Screen, package_id: str) -> None:
    desk = screen.desk
    profiles, queue = profiles_of(package_id), queue_of(package_id)
    await desk.feed.first(PACKAGES, profiles, STATES, queue)
    title(screen, package_id, "The limits count open messages, in windows that roll. Replies pass them all.")
    screen.notices(
        lambda: desk.part(PACKAGES, "packages and settings"), lambda: desk.part(STATES, "figures of the stats"),
        lambda: desk.part(queue, "queue and limits"),
    )  # fmt: skip
    screen.piece(lambda: desk.feed.memo(("tiles", package_id), _tiles, desk.look(queue), desk.look(STATES),
                                        desk.look(profiles)))  # fmt: skip

    def paint() -> Mapping[str, Markup]:
        known = desk.package(package_id), desk.look(profiles), desk.look(STATES), desk.look(queue)
        return desk.feed.memo(("rows", package_id), _rows, *known)

    with stack("card"):
        screen.piece(lambda: together() if paint() else _nobody(package_id))
        html(tag("div", *(tag("span", name) for name in HEADS), class_="live-head", aria_hidden="true"))
        table = screen.rows(paint)
    screen.dim(table, lambda: desk.is_old(queue) and desk.is_old(STATES))


def title(screen: Screen, package_id: str, words: str) -> None:
    """The package's name, its state, and the button that pauses it."""
    desk = screen.desk

    def paint() -> Markup:
        package = desk.package(package_id)
        paused = (
            components.badge("○ Paused", "off", "Nothing opens a conversation.") if package and package.paused else None
        )
        return tag("div", tag("div", tag("h1", package.name if package else package_id), paused, class_="line"),
                   tag("p", words, class_="soft"))  # fmt: skip

    with stack("page-head"):
        screen.piece(paint, testid="package-title")
        pause_button(
            screen, f"/packages/{package_id}", "package", lambda: _is_paused(desk.package(package_id)), PACKAGES
        )


def _is_paused(package: Package | None) -> bool | None:
    return None if package is None else package.paused


def _tiles(queue: Queue | None, states: States | None, profiles: Profiles | None) -> Markup:
    members = {each.profile_id for each in profiles.data} if profiles else set[str]()
    mine = [state for state in states.data if state.profile_id in members] if states else []
    hour = sum(state.windows.hour.sent for state in mine) if states else None
    received = sum(state.windows.hour.received for state in mine) if states else None
    day = sum(state.windows.day.sent for state in mine) if states else None
    rush = f"{formats.plural(queue.profiles_in_rush, 'profile')} in rush" if queue else None
    gateway = f"{queue.at_gateway.now} of {queue.at_gateway.max}" if queue else formats.DASH
    return components.tiles(
        components.tile("Waiting", formats.count(queue.held if queue else None), rush, "tile-waiting"),
        components.tile("With the gateway", gateway, "and not yet answered"),
        components.tile("Sent in the last hour", formats.count(hour), "open messages and replies", "tile-sent-hour"),
        components.tile("Received in the last hour", formats.count(received), "from customers"),
        components.tile("Sent in 24 hours", formats.count(day), "open messages and replies"),
    )


def _rows(
    package: Package | None, profiles: Profiles | None, states: States | None, queue: Queue | None
) -> Mapping[str, Markup]:
    if package is None or profiles is None:
        return {}
    known = {state.profile_id: state for state in states.data} if states else {}
    paces = {pace.profile_id: pace for pace in queue.profiles} if queue else {}
    shown = rows(package, profiles.data, known, paces)
    return {row.profile_id: _row(row, package.timezone, queue) for row in shown}


def _row(row: Row, zone: str, queue: Queue | None) -> Markup:
    address = f"/packages/{row.package_id}/profiles/{row.profile_id}"
    who = tag(
        "div",
        tag("a", row.name, href=address, class_="name"),
        tag("span", row.phone, class_="sub num"),
        class_="stacked",
    )
    states = tag(
        "div", components.state(row.status), components.state(row.reply) if row.reply else None, class_="stacked state"
    )
    when = formats.clock(row.next_release, zone, queue.at) if queue else formats.UNKNOWN
    waits = f"after {row.waits_for}" if row.next_release else row.waits_for
    held = "" if row.held is None else f" · {formats.count(row.held)} held" if row.held else ""
    after = tag(
        "div",
        tag("span", when, class_="num"),
        tag("span", waits + held, class_="sub", title=row.why or None),
        class_="stacked",
    )
    return tag("div", who, *map(components.bar, row.bars), states, tag("div", components.health(row.health)), after,
               class_="live", data_testid=f"profile-{row.profile_id}")  # fmt: skip


def _nobody(package_id: str) -> Markup:
    words = "A profile is one WhatsApp account. Messages to this package have nobody to send them yet."
    add = components.link("Add a profile", f"/packages/{package_id}/new-profile", "button button-main", "plus")
    return components.empty("phone", "No profiles yet", tag("p", words), add)
