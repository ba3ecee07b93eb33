"""Profile page: one profile with its lanes, limits and health, its settings, and its gateway."""

from typing import Any

from markupsafe import Markup

from console.core import draft, formats, setting_texts
from console.core.api_models import ApiPackage, ApiProfile
from console.core.markup import join, tag
from console.core.profile_table import bars, health_tone, status
from console.core.queue import ApiPace, ApiQueue
from console.data.api import CallSucceeded
from console.data.polling_cache import Query
from console.pages.phones.gateway_card import CheckPanel
from console.pages.phones.phone_cards import connection_cards, removal_buttons
from console.ui import components
from console.ui.actions import error_text, run_action
from console.ui.editor import SettingsEditor, button
from console.ui.elements import html, stack
from console.ui.live_page import LivePage
from console.ui.page_context import PACKAGES, queue_query
from console.ui.page_heads import pause_button
from spreader.contract.events import LaneState, ProfileState

READ_SECONDS = 10.0


async def show(page: LivePage, package_id: str, profile_id: str) -> None:
    context, address = page.context, f"/packages/{package_id}/profiles/{profile_id}"
    settings, queue = Query("ingress", address, ApiProfile), queue_query(package_id)
    state = Query("stats", f"/profiles/{profile_id}", ProfileState)
    await context.cache.load(PACKAGES, settings, state, queue)

    def is_paused() -> bool | None:
        profile = context.latest(settings)
        return None if profile is None else profile.paused

    with stack("page-head"):
        page.live_html(lambda: _title(package_id, profile_id, context.latest(settings)))
        with stack("line"):
            check_button = button("Check the connection", lambda: check.check()).props('data-testid="check"')
            _reopen_button(page, state)
            pause_button(page, address, "profile", is_paused, settings)
    page.stale_notices(
        lambda: context.page_data(settings, "settings of the profile"),
        lambda: context.page_data(state, "figures"),
        lambda: context.page_data(queue, "queue and limits"),
    )

    def render() -> Markup:
        data = context.package(package_id), context.latest(settings), context.latest(state), context.latest(queue)
        return context.cache.memo(("profile", profile_id), _render_state, *data)

    check = CheckPanel(page, address, "")
    check.build()
    page.fade_when_old(page.live_html(render, testid="fares"), lambda: context.is_old(state) and context.is_old(queue))
    result = await context.api.get("ingress", address, READ_SECONDS)
    if not isinstance(result, CallSucceeded):
        html(components.notice(f"The settings cannot be shown. {error_text(result, 'ingress')}", "bad"))
        return
    check.driver = result.body["gateway"]["driver"]
    check_button.set_visibility(check.driver != "simulator")
    cards = stack()
    content = stack()

    def build(loaded: CallSucceeded) -> None:
        content.clear()
        with content:
            editor = SettingsEditor(page, address, setting_texts.profile_groups(), loaded, saved)
            editor.build(draft.limits_in_force(loaded.body))

    def saved(answer: CallSucceeded) -> None:
        context.cache.refresh(settings)
        build(answer)

    with cards:
        connection_cards(page, address, result, check)
    build(result)
    removal_buttons(page, package_id, profile_id)


def _title(package_id: str, profile_id: str, profile: ApiProfile | None) -> Markup:
    back = components.link("Profiles", f"/packages/{package_id}", "small", "back")
    if profile is None:
        return tag("div", back, tag("h1", profile_id))
    about = f"{formats.phone(profile.phone)} · {profile.gateway.driver} · weight {profile.weight or 'automatic'}"
    about += " · backup" if profile.backup else ""
    return tag("div", back, tag("h1", profile.name), tag("p", about, class_="soft num"))


def _render_state(
    package: ApiPackage | None, profile: ApiProfile | None, state: ProfileState | None, queue: ApiQueue | None
) -> Markup:
    if package is None or profile is None:
        return join()
    pace = next((item for item in queue.profiles if item.profile_id == profile.profile_id), None) if queue else None
    left = join(
        _lanes(package, profile, state, pace), tag("div", style="height:1.15rem"), _limits(profile, state, pace)
    )
    return tag("div", tag("div", left), _health(state), class_="grid2")


def _lanes(package: ApiPackage, profile: ApiProfile, state: ProfileState | None, pace: ApiPace | None) -> Markup:
    open_ = status(package, profile, state, pace, bars(profile, state, pace))
    reply = formats.UNKNOWN if state is None else _lane(state.reply, package.timezone)
    rows: list[tuple[str, Any]] = [
        ("Open messages", join(components.status_badge(open_), tag("p", open_.why, class_="small soft"))),
        ("Replies", reply),
        ("Session at the gateway", (state.session if state else None) or formats.UNKNOWN),
        ("Quality at the gateway", (state.quality if state else None) or formats.UNKNOWN),
        ("Automatic factor", _factor(state)),
    ]
    if state is not None and state.open.until is not None:
        rows.insert(1, ("Closed until", formats.clock(state.open.until, package.timezone, state.at)))
    return components.card(components.facts(rows), title="State by lane")


def _lane(lane: LaneState, zone: str) -> Any:
    if lane.state == "ok":
        return components.badge("● Open", "good")
    return join(components.badge(f"○ {lane.state.title()}", "bad"), tag("p", lane.cause or "", class_="small soft"))


def _factor(state: ProfileState | None) -> Any:
    if state is None:
        return formats.UNKNOWN
    return join(formats.times(state.limit_factor), tag("p", state.limit_cause or "", class_="small soft"))


def _limits(profile: ApiProfile, state: ProfileState | None, pace: ApiPace | None) -> Markup:
    shown = bars(profile, state, pace)
    return components.card(tag("div", *map(components.limit_bar, shown), class_="stack tight"), title="Limits in force")


def _health(state: ProfileState | None) -> Markup:
    health = state.health if state else None
    if health is None or state is None:
        words = "The stats have not said yet how healthy this profile is. It takes some messages to tell."
        return components.card(tag("p", words, class_="soft"), title="Health", testid="health")
    lines = [
        (reason.name, f"{formats.share(reason.share)} × {reason.weight}", reason.evidence) for reason in health.reasons
    ]
    capped = components.notice(f"Held down by {health.capped_by}", "warn") if health.capped_by else None
    risks = [
        components.notice(join(tag("b", risk.kind.replace("_", " ")), ": ", risk.evidence)) for risk in state.risks
    ]
    score = tag(
        "span", tag("i", aria_hidden="true"), f"{health.score} of 100", class_=f"score tone-{health_tone(health)}"
    )
    return components.card(
        components.table(("Because of", "Share × weight", "Evidence"), lines),
        capped,
        *risks,
        title="Health",
        beside=score,
        testid="health",
    )


def _reopen_button(page: LivePage, query: Query[ProfileState]) -> None:
    """The button that lifts the profile's closures. It is visible while a lane of the profile is closed.

    If the cause of a closure still exists, the stats close the lane again.
    """

    async def press() -> None:
        path, body = f"{query.path}/resume", {"by": page.context.session.operator or "an operator"}
        if await run_action(page.context, "POST", "stats", path, body, success="Its lanes are open again."):
            page.context.cache.refresh(query)

    element = button("It works again", press).props('data-testid="reopen"')
    element.tooltip("Opens what was closed because of signs of trouble")

    def update() -> None:
        state = page.context.latest(query)
        element.set_visibility(state is not None and "blocked" in (state.open.state, state.reply.state))

    page.on_update(update)
