"""Profile page: one account: how it fares and why, its lanes, its own limits, its gateway."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup
from nicegui import ui

from console.core import formats, setting_texts
from console.core.api_models import Package, Profile, Profiles, States
from console.core.markup import tag, together
from console.core.profile_table import bars, health_tone, status
from console.core.queue import Pace, Queue
from console.data.api import Given
from console.pages.pause_buttons import pause_button, reopen_button
from console.ui import components
from console.ui.actions import act, tell, trouble
from console.ui.editor import Editor, button
from console.ui.elements import html, stack
from console.ui.live_page import Screen
from console.ui.page_context import PACKAGES, STATES, profiles_of, queue_of
from spreader.contract.events import LaneState, ProfileState

CHECK_SECONDS = 35.0
READ_SECONDS = 10.0


async def show(screen: Screen, package_id: str, profile_id: str) -> None:
    desk, address = screen.desk, f"/packages/{package_id}/profiles/{profile_id}"
    profiles, queue = profiles_of(package_id), queue_of(package_id)
    await desk.feed.first(PACKAGES, profiles, STATES, queue)

    def found() -> Profile | None:
        return next((each for each in desk.profiles(package_id) if each.profile_id == profile_id), None)

    def paused() -> bool | None:
        profile = found()
        return None if profile is None else profile.paused

    with stack("page-head"):
        screen.piece(lambda: _title(package_id, profile_id, found()))
        with stack("line"):
            button("Check the connection", lambda: _check(screen, address)).props('data-testid="check"')
            reopen_button(screen, profile_id)
            pause_button(screen, address, "profile", paused, profiles)
    screen.notices(lambda: desk.part(profiles, "settings of the profile"), lambda: desk.part(STATES, "figures"),
                   lambda: desk.part(queue, "queue and limits"))  # fmt: skip

    def paint() -> Markup:
        known = desk.package(package_id), desk.look(profiles), desk.look(STATES), desk.look(queue)
        return desk.feed.memo(("profile", profile_id), lambda *each: _fares(profile_id, *each), *known)

    screen.dim(screen.piece(paint, testid="fares"), lambda: desk.is_old(STATES) and desk.is_old(queue))
    answer = await desk.api.get("ingress", address, READ_SECONDS)
    if not isinstance(answer, Given):
        html(components.notice(f"The settings cannot be shown. {trouble(answer, 'ingress')}", "bad"))
        return
    place = stack()

    def build(document: Mapping[str, Any]) -> None:
        place.clear()
        with place:
            Editor(screen, address, setting_texts.profile(), document, saved).build({})
            _gateway(screen, package_id, profile_id, document)

    def saved(document: Mapping[str, Any]) -> None:
        desk.feed.again(profiles)
        build(document)

    build(answer.body)


def _title(package_id: str, profile_id: str, profile: Profile | None) -> Markup:
    back = components.link("Profiles", f"/packages/{package_id}", "small", "back")
    if profile is None:
        return tag("div", back, tag("h1", profile_id))
    about = f"{formats.phone(profile.phone)} · {profile.gateway.driver} · weight {profile.weight or 'automatic'}"
    return tag("div", back, tag("h1", profile.name), tag("p", about, class_="soft num"))


def _fares(
    profile_id: str, package: Package | None, profiles: Profiles | None, states: States | None, queue: Queue | None
) -> Markup:
    profile = next((each for each in profiles.data if each.profile_id == profile_id), None) if profiles else None
    if package is None or profile is None:
        return together()
    fares = states.of(profile_id) if states else None
    pace = next((each for each in queue.profiles if each.profile_id == profile_id), None) if queue else None
    left = together(
        _lanes(package, profile, fares, pace), tag("div", style="height:1.15rem"), _limits(profile, fares, pace)
    )
    return tag("div", tag("div", left), _health(fares), class_="grid2")


def _lanes(package: Package, profile: Profile, fares: ProfileState | None, pace: Pace | None) -> Markup:
    open_ = status(package, profile, fares, pace, bars(profile, fares, pace))
    reply = formats.UNKNOWN if fares is None else _lane(fares.reply, package.timezone)
    rows: list[tuple[str, Any]] = [
        ("Open messages", together(components.state(open_), tag("p", open_.why, class_="small soft"))),
        ("Replies", reply),
        ("Session at the gateway", (fares.session if fares else None) or formats.UNKNOWN),
        ("Quality at the gateway", (fares.quality if fares else None) or formats.UNKNOWN),
        ("Automatic factor", _factor(fares)),
    ]
    if fares is not None and fares.open.until is not None:
        rows.insert(1, ("Closed until", formats.clock(fares.open.until, package.timezone, fares.at)))
    return components.card(components.facts(rows), title="State by lane")


def _lane(lane: LaneState, zone: str) -> Any:
    if lane.state == "ok":
        return components.badge("● Open", "good")
    return together(components.badge(f"○ {lane.state.title()}", "bad"), tag("p", lane.cause or "", class_="small soft"))


def _factor(fares: ProfileState | None) -> Any:
    if fares is None:
        return formats.UNKNOWN
    return together(formats.times(fares.limit_factor), tag("p", fares.limit_cause or "", class_="small soft"))


def _limits(profile: Profile, fares: ProfileState | None, pace: Pace | None) -> Markup:
    shown = bars(profile, fares, pace)
    return components.card(tag("div", *map(components.bar, shown), class_="stack tight"), title="Limits in force")


def _health(fares: ProfileState | None) -> Markup:
    known = fares.health if fares else None
    if known is None or fares is None:
        words = "The stats have not said yet how healthy this profile is. It takes some messages to tell."
        return components.card(tag("p", words, class_="soft"), title="Health", testid="health")
    lines = [(each.name, f"{formats.share(each.share)} × {each.weight}", each.evidence) for each in known.reasons]
    capped = components.notice(f"Held down by {known.capped_by}", "warn") if known.capped_by else None
    risks = [
        components.notice(together(tag("b", each.kind.replace("_", " ")), ": ", each.evidence)) for each in fares.risks
    ]
    score = tag(
        "span", tag("i", aria_hidden="true"), f"{known.score} of 100", class_=f"score tone-{health_tone(known)}"
    )
    return components.card(components.table(("Because of", "Share × weight", "Evidence"), lines), capped, *risks,
                       title="Health", beside=score, testid="health")  # fmt: skip


def _gateway(screen: Screen, package_id: str, profile_id: str, document: Mapping[str, Any]) -> None:
    gateway: Mapping[str, Any] = document.get("gateway") or {}
    rows = [(name.replace("_", " ").title(), str(value)) for name, value in gateway.items()
            if name != "credentials" and value is not None]  # fmt: skip
    known = gateway.get("credentials")
    rows.append(("Credentials", "set" if known else "none"))
    if document.get("webhook_url"):
        rows.append(("Webhook address", str(document["webhook_url"])))
    html(components.card(components.facts(rows), title="Gateway"))

    async def remove() -> None:
        path = f"/packages/{package_id}/profiles/{profile_id}"
        if await act(screen.desk, "DELETE", "ingress", path, said="The profile is removed."):
            ui.navigate.to(f"/packages/{package_id}")

    with ui.dialog() as dialog, ui.card():
        html(tag("h2", "Remove this profile?"))
        html(tag("p", "What it still holds goes to the other profiles. Its history stays.", class_="soft"))
        with stack("line"):
            button("Keep it", dialog.close)
            button("Remove", remove, "button-danger")
    with stack("line"):
        button("Remove the profile", dialog.open, "button-danger")


async def _check(screen: Screen, address: str) -> None:
    tell("Asking the gateway …")
    answer = await screen.desk.api.call("POST", "ingress", f"{address}/check", seconds=CHECK_SECONDS)
    if not isinstance(answer, Given):
        tell(trouble(answer, "ingress"), bad=True)
        return
    found = answer.body.get("check") or answer.body
    tell(found.get("detail") or "The gateway answers.", bad=not found.get("ok", True))
