"""Overview: all packages, each as a card."""

from markupsafe import Markup

from console.core import formats
from console.core.api_models import Alerts, Packages, States
from console.core.markup import tag, together
from console.core.overview import Card, cards
from console.core.queue import Queue
from console.ui import components
from console.ui.elements import html
from console.ui.live_page import Screen
from console.ui.page_context import ALERTS, PACKAGES, STATES, queue_of

QUEUES_MAX = 50
"""Of more packages than this the overview does not ask what waits: their own pages do."""
QUEUE_SECONDS = 2.0


async def show(screen: Screen) -> None:
    desk = screen.desk
    await desk.feed.first(PACKAGES, STATES, ALERTS)
    html(components.head("Packages", "Groups of WhatsApp accounts that share settings.",
                     components.link("New package", "/new", "button button-main", "plus")))  # fmt: skip
    screen.notices(lambda: desk.part(PACKAGES, "packages and settings"), lambda: desk.part(STATES, "figures"),
                   lambda: desk.part(ALERTS, "alerts"))  # fmt: skip

    def queues() -> tuple[Queue | None, ...]:
        known = desk.look(PACKAGES)
        shown = known.data[:QUEUES_MAX] if known else ()
        return tuple(desk.look(queue_of(each.package_id, QUEUE_SECONDS)) for each in shown)

    def paint() -> Markup:
        return desk.feed.memo(
            "overview", _painted, desk.look(PACKAGES), desk.look(STATES), desk.look(ALERTS), *queues()
        )

    box = screen.piece(paint)
    screen.dim(box, lambda: desk.is_old(PACKAGES))


def _painted(packages: Packages | None, states: States | None, alerts: Alerts | None, *queues: Queue | None) -> Markup:
    if packages is None:
        return together()
    if not packages.data:
        words = "A package is a group of WhatsApp profiles that share settings. Make the first one, then add profiles."
        make = components.link("New package", "/new", "button button-main", "plus")
        demo = tag("p", "Or run ", tag("code", "make demo"), " to watch one with simulated customers.", class_="small")
        return tag("div", components.empty("overview", "No packages yet", tag("p", words), make, demo), class_="card")
    known = {state.profile_id: state for state in states.data} if states else {}
    waiting = {queue.package_id: queue for queue in queues if queue is not None}
    shown = cards(packages.data, known, waiting, alerts.data if alerts else None)
    return tag("div", *map(_card, shown), class_="cards")


def _card(card: Card) -> Markup:
    name = tag("div", tag("h2", card.name), tag("p", card.about, class_="soft small"))
    top = tag("div", name, components.state(card.status), class_="card-head", style="margin-bottom:0")
    waits = tag("span", tag("b", formats.count(card.held)), " waiting", class_="num")
    rush = components.badge("Rush", "warn", "More wait than the rush bound: gaps are longer.") if card.rush else None
    alerts = components.badge(formats.plural(card.alerts, "alert"), "bad") if card.alerts else None
    foot = tag("div", waits, rush, alerts, class_="line small soft")
    bars = tag("div", *map(components.bar, card.bars), class_="stack tight")
    return tag("a", top, bars, foot, class_="card", href=f"/packages/{card.package_id}",
               data_testid=f"package-{card.package_id}")  # fmt: skip
