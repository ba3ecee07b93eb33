"""Queue page: how many deliveries wait in a package, which profiles are in rush, and how each profile is paced."""

from collections.abc import Mapping

from markupsafe import Markup

from console.core import formats
from console.core.api_models import ApiProfileList
from console.core.markup import join, tag
from console.core.pacing_factors import GapFactor, gap_factors, rush
from console.core.profile_table import BOUNDS, LimitBar, waits_for
from console.core.queue import ApiOutcomeRequest, ApiPace, ApiQueue, missing_outcomes, outcome_request_words
from console.data.api import CallSucceeded
from console.theme import icon
from console.ui import components
from console.ui.actions import error_text, notify
from console.ui.elements import button
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

    def render() -> Mapping[str, Markup]:
        return context.cache.memo(
            ("paces", package_id), _paces, context.latest(queue), context.latest(profiles), context.zone(package_id)
        )

    table = page.live_rows(render, "stack")
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


def _paces(queue: ApiQueue | None, profiles: ApiProfileList | None, zone: str) -> Mapping[str, Markup]:
    if queue is None:
        return {}
    names = {profile.profile_id: profile.name for profile in profiles.data} if profiles else {}
    return {
        pace.profile_id: _pace(pace, names.get(pace.profile_id, pace.profile_id), queue, zone)
        for pace in queue.profiles
    }


def _pace(pace: ApiPace, name: str, queue: ApiQueue, zone: str) -> Markup:
    at = pace.next_release
    held = components.badge(f"{formats.count(pace.held)} waiting", "warn" if pace.due > queue.rush_over else "")
    clock = tag("span", formats.clock(at, zone, queue.at), class_="soft num")
    next_ = tag("span", "Next send ", tag("b", formats.until(at, queue.at), class_="num"), " · ", clock) if at else None
    waits = tag("span", waits_for(pace), class_="soft") if pace.held or pace.stopped else None
    top = tag("summary", tag("span", icon("next"), class_="icon-turn"), tag("h2", name), held, next_, waits)
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
    return tag(
        "details",
        top,
        tag("div", left, right, class_="two-one", style="margin-top:1rem"),
        open=True,
        class_="card fold",
        data_testid=f"pace-{pace.profile_id}",
    )


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
