"""Overview page: all packages, each as a card."""

from markupsafe import Markup

from console.core import formats
from console.core.api_models import ApiPackageFiguresList, ApiPackageList
from console.core.markup import join, tag
from console.core.overview import PackageCard, cards
from console.core.queue import ApiQueue
from console.ui import components
from console.ui.elements import html
from console.ui.live_page import LivePage
from console.ui.page_context import FIGURES, PACKAGES, queue_query

QUEUES_MAX = 50
"""The overview polls the queues of only this many packages. A further package shows its queue only on its own page."""
QUEUE_SECONDS = 2.0


async def show(page: LivePage) -> None:
    context = page.context
    await context.cache.load(PACKAGES, FIGURES)
    html(
        components.page_head(
            "Packages",
            "Groups of phones that share limits and settings.",
            components.link("New package", "/new", "button button-main", "plus"),
        )
    )
    page.stale_notices(
        lambda: context.page_data(PACKAGES, "packages and settings"),
        lambda: context.page_data(FIGURES, "figures and alerts"),
    )

    def queues() -> tuple[ApiQueue | None, ...]:
        packages = context.latest(PACKAGES)
        first = packages.data[:QUEUES_MAX] if packages else ()
        return tuple(context.latest(queue_query(package.package_id, QUEUE_SECONDS)) for package in first)

    def render() -> Markup:
        return context.cache.memo(
            "overview",
            _render_cards,
            context.latest(PACKAGES),
            context.latest(FIGURES),
            *queues(),
        )

    box = page.live_html(render)
    page.fade_when_old(box, lambda: context.is_old(PACKAGES))


def _render_cards(
    packages: ApiPackageList | None, figures: ApiPackageFiguresList | None, *queues: ApiQueue | None
) -> Markup:
    if packages is None:
        return join()
    if not packages.data:
        words = "A package is a group of WhatsApp phones that share limits and settings. Create one, then add phones."
        make = components.link("New package", "/new", "button button-main", "plus")
        demo = tag("p", "Or run ", tag("code", "make demo"), " to watch one with simulated customers.", class_="small")
        return tag("div", components.empty("overview", "No packages yet", tag("p", words), make, demo), class_="card")
    by_package = {item.package_id: item for item in figures.data} if figures else {}
    shown = cards(packages.data, by_package, {queue.package_id: queue for queue in queues if queue is not None})
    return tag("div", *map(_card, shown), class_="cards")


def _card(card: PackageCard) -> Markup:
    name = tag("div", tag("h2", card.name), tag("p", card.about, class_="soft small"))
    top = tag("div", name, components.status_badge(card.status), class_="card-head", style="margin-bottom:0")
    waits = tag("span", tag("b", formats.count(card.held)), " waiting", class_="num")
    rush = (
        components.badge("Slowed down", "warn", "Some phones are slowed down, because their queues are long.")
        if card.rush
        else None
    )
    alerts = components.badge(formats.plural(card.alerts, "alert"), "bad") if card.alerts else None
    foot = tag("div", waits, rush, alerts, class_="line small soft")
    bars = tag("div", *map(components.limit_bar, card.bars), class_="stack tight")
    return tag(
        "a",
        top,
        bars,
        foot,
        class_="card",
        href=f"/packages/{card.package_id}",
        data_testid=f"package-{card.package_id}",
    )
