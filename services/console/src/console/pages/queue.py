"""Queue page: what waits, whether there is a rush, and every factor of every profile's gap with its present value."""

from collections.abc import Mapping

from markupsafe import Markup

from console.core import formats
from console.core.api_models import Profiles
from console.core.markup import tag, together
from console.core.pacing_factors import Factor, factors, rush
from console.core.profile_table import BOUNDS, Bar, waits_for
from console.core.queue import Pace, Queue
from console.pages.package import title
from console.theme import icon
from console.ui import components
from console.ui.live_page import Screen
from console.ui.page_context import PACKAGES, profiles_of, queue_of


async def show(screen: Screen, package_id: str) -> None:
    desk = screen.desk
    queue, profiles = queue_of(package_id), profiles_of(package_id)
    await desk.feed.first(PACKAGES, queue, profiles)
    title(screen, package_id, "What waits, what holds it, and everything that makes a gap longer or shorter.")
    screen.notices(lambda: desk.part(queue, "queue and factors"))

    def zone() -> str:
        package = desk.package(package_id)
        return package.timezone if package else "UTC"

    screen.piece(lambda: desk.feed.memo(("rush", package_id), _rush, desk.look(queue)))

    def paint() -> Mapping[str, Markup]:
        return desk.feed.memo(("paces", package_id), _paces, desk.look(queue), desk.look(profiles), zone())

    table = screen.rows(paint, "stack")
    screen.dim(table, lambda: desk.is_old(queue))


def _rush(queue: Queue | None) -> Markup:
    if queue is None:
        return together()
    now = rush(queue)
    day = queue.package_day
    of_day = None if day is None else components.tile("Package, 24 hours", f"{day.used}/{day.limit}", "open messages")
    return together(
        components.notice(now.words, "warn" if now.is_on else "info", "rush"),
        tag("div", style="height:1.15rem"),
        components.tiles(
            components.tile("Waiting", formats.count(queue.held), "open messages, all profiles"),
            components.tile("Rush begins over", str(queue.rush_over), "due for one profile"),
            components.tile("In rush", formats.plural(queue.profiles_in_rush, "profile"), "gaps are doubled there"),
            components.tile(
                "Concurrent sends", f"{queue.at_gateway.now} of {queue.at_gateway.max}", "with the gateway now"
            ),
            *([of_day] if of_day else []),
        ),
    )


def _paces(queue: Queue | None, profiles: Profiles | None, zone: str) -> Mapping[str, Markup]:
    if queue is None:
        return {}
    names = {each.profile_id: each.name for each in profiles.data} if profiles else {}
    return {
        pace.profile_id: _pace(pace, names.get(pace.profile_id, pace.profile_id), queue, zone)
        for pace in queue.profiles
    }


def _pace(pace: Pace, name: str, queue: Queue, zone: str) -> Markup:
    when = f"{formats.clock(pace.next_release, zone, queue.at)}" if pace.next_release else None
    held = components.badge(f"{formats.count(pace.held)} held", "warn" if pace.due > queue.rush_over else "")
    next_ = tag("span", "next ", tag("b", when, class_="num")) if when else None
    waits = tag("span", f"waits for {waits_for(pace)}" if when else waits_for(pace), class_="soft")
    top = tag("summary", tag("span", icon("next"), class_="icon-turn"), tag("h2", name), held, next_, waits)
    left = tag("div", tag("h3", "What makes the gap"), _factors(factors(pace, queue.rush_over)), class_="stack tight")
    right = tag("div", tag("h3", "What it waits for"), _bounds(pace, queue, zone), tag("h3", "Limits in force"),
                *_limits(pace), class_="stack tight")  # fmt: skip
    return tag("details", top, tag("div", left, right, class_="two-one", style="margin-top:1rem"), open=True,
               class_="card fold", data_testid=f"pace-{pace.profile_id}")  # fmt: skip


def _factors(shown: tuple[Factor, ...]) -> Markup:
    if len(shown) < 3:
        note = tag("p", "Nothing waits: there is no gap to reckon.", class_="soft small")
        return tag("div", note, *map(_factor, shown))
    return tag("div", *map(_factor, shown))


def _factor(each: Factor) -> Markup:
    name = tag("span", each.name, class_="soft")
    return tag("div", name, tag("b", each.value), tag("span", each.words, class_="small soft"), class_="factor",
               data_testid=f"factor-{each.name.lower().replace(' ', '-')}")  # fmt: skip


def _bounds(pace: Pace, queue: Queue, zone: str) -> Markup:
    if not pace.bounds:
        return tag("p", pace.why or pace.stopped or "Nothing: what is due goes at once.", class_="soft small")
    ahead = sorted(pace.bounds.items(), key=lambda each: (each[0] != pace.bound, each[1] is None, each[1] or queue.at))
    lines = [
        tag("li", BOUNDS.get(name, name), " until ",
            tag("b", formats.clock(until, zone, queue.at) if until else "further notice"),
            class_="on" if name == pace.bound else None)
        for name, until in ahead
    ]  # fmt: skip
    return together(tag("p", pace.why, class_="small soft") if pace.why else None, tag("ul", *lines, class_="steps"))


def _limits(pace: Pace) -> list[Markup]:
    return [
        components.bar(Bar(name.removesuffix(" limit"), usage.used, usage.limit)) for name, usage in pace.limits.items()
    ]
