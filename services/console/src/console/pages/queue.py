"""Queue page: how many deliveries wait in a package, which profiles are in rush, and how each profile is paced."""

from dataclasses import replace

from markupsafe import Markup
from nicegui import ui
from nicegui.element import Element

from console.core import formats
from console.core.markup import join, tag
from console.core.pace_page import OPEN_MAX, ORDERS, PacePage, PaceView, pace_page
from console.core.pacing_factors import GapFactor, gap_factors, rush
from console.core.profile_table import BOUNDS, LimitBar, waits_for
from console.core.queue import ApiOutcomeRequest, ApiPace, ApiQueue, missing_outcomes, outcome_request_words
from console.data.api import CallSucceeded
from console.theme import icon
from console.ui import components
from console.ui.actions import error_text, notify
from console.ui.elements import button, html, stack
from console.ui.live_page import LivePage
from console.ui.page_context import PACKAGES, profiles_query, queue_query
from console.ui.page_heads import package_head

LIMIT_NAMES = {
    "hour limit": "per hour",
    "3 hours limit": "per 3 hours",
    "day limit": "per day",
    "quarter-of-day limit": "per hour (a quarter of the day's limit)",
    "new contacts limit": "new contacts per day",
    "unanswered budget": "unanswered in 30 days",
}


async def show(page: LivePage, package_id: str) -> None:
    context = page.context
    queue, profiles = queue_query(package_id), profiles_query(package_id)
    await context.cache.load(PACKAGES, queue, profiles)
    package_head(page, package_id, "What waits, what holds it, and how the time between two messages comes about.")
    page.stale_notices(lambda: context.page_data(queue, "queue and factors"))

    page.live_html(lambda: context.cache.memo(("rush", package_id), _rush, context.latest(queue)))
    _missing_outcomes(page, package_id)

    table = PaceList(page, package_id).build()
    page.fade_when_old(table, lambda: context.is_old(queue))


def _missing_outcomes(page: LivePage, package_id: str) -> None:
    """Add a notice about missing outcomes, and a button that asks the sender for them. The notice and the button are
    visible while an outcome is missing."""
    query = queue_query(package_id)

    async def ask() -> None:
        result = await page.context.api.call("POST", "ingress", f"/packages/{package_id}/outcomes")
        if isinstance(result, CallSucceeded):
            notify(outcome_request_words(ApiOutcomeRequest.model_validate(result.body)))
            page.context.cache.refresh(query)
        else:
            notify(error_text(result, "ingress"), is_error=True)

    def notice() -> Markup:
        words = missing_outcomes(page.context.latest(query))
        return components.notice(words, "warn", "missing-outcomes") if words else join()

    page.live_html(notice)
    element = button("Ask for the outcomes now", ask).props('data-testid="ask-outcomes"')

    def update() -> None:
        element.set_visibility(missing_outcomes(page.context.latest(query)) is not None)

    page.on_update(update)
    update()


def _rush(queue: ApiQueue | None) -> Markup:
    if queue is None:
        return join()
    now = rush(queue)
    day = queue.package_day
    of_day = (
        None if day is None else components.tile("Package, 24 hours", f"{day.used}/{day.limit}", "campaign messages")
    )
    return join(
        components.notice(now.words, "warn" if now.is_on else "info", "rush"),
        tag("div", style="height:1.15rem"),
        components.tiles(
            components.tile("Waiting", formats.count(queue.held), "campaign messages, all phones"),
            components.tile("Long queue over", str(queue.rush_over), "due for one phone"),
            components.tile("Slowed down", formats.plural(queue.profiles_in_rush, "phone"), "because of a long queue"),
            components.tile("Being sent", f"{queue.at_gateway.now} of {queue.at_gateway.max}", "at the gateway now"),
            *([of_day] if of_day else []),
        ),
    )


class PaceList:
    """The phones of a package, in pages. A phone shows its factors and bounds only while its row is open, because the
    page would be too large otherwise. If there are few phones, all rows are open at first."""

    def __init__(self, page: LivePage, package_id: str) -> None:
        self._page = page
        self._package_id = package_id
        self._view = PaceView()
        self._turned: set[str] = set()
        """The phones whose rows the operator has opened, or closed if all rows are open at first."""
        self._rows: dict[str, tuple[ui.html, ui.html]] = {}

    def build(self) -> Element:
        with stack("line") as filters:
            text = ui.input(placeholder="Search a phone", on_change=lambda event: self._look(text=event.value or ""))
            text.props('outlined dense clearable debounce=300 aria-label="Search a phone" data-testid="find-pace"')
            order = ui.select(dict(ORDERS), value="name", on_change=lambda event: self._look(order=event.value))
            order.props('outlined dense aria-label="Order" data-testid="order-paces"')
        self._box = Element("div").classes("stack")
        with stack("line") as pager:
            back = button("Previous", lambda: self._turn_page(-1)).props('data-testid="previous"')
            number = html(join()).classes("soft small")
            more = button("Next", lambda: self._turn_page(1)).props('data-testid="more"')

        def update() -> None:
            shown = self._shown()
            filters.set_visibility(shown.total > OPEN_MAX)
            pager.set_visibility(shown.pages > 1)
            number.set_content(join(f"Page {shown.page + 1} of {shown.pages}"))
            back.set_enabled(shown.page > 0)
            more.set_enabled(shown.page + 1 < shown.pages)
            self._update(shown)

        self._page.on_update(update)
        return self._box

    def _shown(self) -> PacePage:
        context = self._page.context
        queue = context.latest(queue_query(self._package_id))
        return pace_page(queue.profiles if queue else (), context.profile_names(self._package_id), self._view)

    def _look(self, **changes: str) -> None:
        self._view = replace(self._view, page=0, **changes)
        self._page.update()

    def _turn_page(self, by: int) -> None:
        self._view = replace(self._view, page=max(0, self._shown().page + by))
        self._page.update()

    def _turn(self, profile_id: str) -> None:
        self._turned ^= {profile_id}
        self._page.update()

    def _update(self, shown: PacePage) -> None:
        queue, zone = (
            self._page.context.latest(queue_query(self._package_id)),
            self._page.context.zone(self._package_id),
        )
        if queue is None:
            return
        names = self._page.context.profile_names(self._package_id)
        if [*self._rows] != [pace.profile_id for pace in shown.paces]:
            self._box.clear()
            with self._box:
                self._rows = {pace.profile_id: self._build_row(pace.profile_id) for pace in shown.paces}
        for pace in shown.paces:
            is_open = (pace.profile_id in self._turned) != (shown.total <= OPEN_MAX)
            name = names.get(pace.profile_id, pace.profile_id)
            body = _pace_body(pace, queue, zone) if is_open else join()
            for element, rendered in zip(
                self._rows[pace.profile_id], (_pace_head(pace, name, queue, zone, is_open), body), strict=True
            ):
                if rendered != element.content:
                    element.set_content(rendered)

    def _build_row(self, profile_id: str) -> tuple[ui.html, ui.html]:
        with Element("section").classes("card pace").props(f'data-testid="pace-{profile_id}"'):
            return html(join()).on("click", lambda: self._turn(profile_id)), html(join())


def _pace_head(pace: ApiPace, name: str, queue: ApiQueue, zone: str, is_open: bool) -> Markup:
    at = pace.next_release
    held = components.badge(f"{formats.count(pace.held)} waiting", "warn" if pace.due > queue.rush_over else "")
    clock = tag("span", formats.clock(at, zone, queue.at), class_="soft num")
    next_ = tag("span", "Next send ", tag("b", formats.until(at, queue.at), class_="num"), " · ", clock) if at else None
    waits = tag("span", waits_for(pace), class_="soft") if pace.held or pace.stopped else None
    state = "true" if is_open else "false"
    title = tag(
        "button", icon("next"), tag("span", name, dir="auto"), type="button", class_="fold-button", aria_expanded=state
    )
    return tag("div", tag("h2", title), held, next_, waits, class_="line")


def _pace_body(pace: ApiPace, queue: ApiQueue, zone: str) -> Markup:
    left = tag(
        "div", tag("h3", "Time between messages"), _factors(gap_factors(pace, queue.rush_over)), class_="stack tight"
    )
    right = tag(
        "div",
        tag("h3", "What holds the next message"),
        _bounds(pace, queue, zone),
        tag("h3", "Limits in force"),
        *_limits(pace),
        class_="stack tight",
    )
    return tag("div", left, right, class_="two-one", style="margin-top:1rem")


def _factors(shown: tuple[GapFactor, ...]) -> Markup:
    if len(shown) < 3:
        note = tag("p", "No messages waiting.", class_="soft small")
        return tag("div", note, *map(_factor, shown))
    return tag("div", *map(_factor, shown))


def _factor(factor: GapFactor) -> Markup:
    name = tag("span", factor.name, class_="soft")
    return tag(
        "div",
        name,
        tag("b", factor.value),
        tag("span", factor.words, class_="small soft"),
        class_="factor",
        data_testid=f"factor-{factor.name.lower().replace(' ', '-')}",
    )


def _bounds(pace: ApiPace, queue: ApiQueue, zone: str) -> Markup:
    if not pace.bounds:
        return tag("p", pace.why or pace.stopped or "Nothing.", class_="soft small")
    ahead = sorted(pace.bounds.items(), key=lambda item: (item[0] != pace.bound, item[1] is None, item[1] or queue.at))
    lines = [
        tag(
            "li",
            _capital(BOUNDS.get(name, name)),
            " until ",
            tag(
                "b",
                f"{formats.clock(until, zone, queue.at)} ({formats.until(until, queue.at)})"
                if until
                else "further notice",
            ),
            class_="on" if name == pace.bound else None,
        )
        for name, until in ahead
    ]
    return join(tag("p", pace.why, class_="small soft") if pace.why else None, tag("ul", *lines, class_="steps"))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _limits(pace: ApiPace) -> list[Markup]:
    return [
        components.limit_bar(LimitBar(LIMIT_NAMES.get(name, name.removesuffix(" limit")), usage.used, usage.limit))
        for name, usage in pace.limits.items()
    ]
