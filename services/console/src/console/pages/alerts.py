"""Alerts page: what needs a person, with its evidence; and saying that somebody looks after it."""

from typing import Any

from console.core import formats
from console.core.api_models import Alert, Alerts
from console.core.markup import tag, together
from console.data.polling_cache import Question
from console.ui import components
from console.ui.actions import act
from console.ui.editor import button
from console.ui.elements import html, stack
from console.ui.live_page import Screen
from console.ui.page_context import ALERTS, PACKAGES

PAST = Question("stats", "/alerts?state=cleared&limit=50", Alerts, every_seconds=5.0)


async def show(screen: Screen) -> None:
    desk = screen.desk
    await desk.feed.first(PACKAGES, ALERTS, PAST)
    html(
        components.head(
            "Alerts", "What the stats noticed and a person should know. Each clears by itself with its cause."
        )
    )
    screen.notices(lambda: desk.part(ALERTS, "alerts"))
    place = stack()
    shown: list[Any] = [None]

    def look() -> None:
        known = desk.look(ALERTS), desk.look(PAST)
        if known == shown[0] and shown[0] is not None:
            return
        shown[0] = known
        place.clear()
        with place:
            _build(screen, *known)

    screen.follow(look)


def _build(screen: Screen, now: Alerts | None, past: Alerts | None) -> None:
    if now is not None and not now.data:
        words = tag("p", "No profile shows a sign of trouble. Hard signs are acted on at once, and shown here.")
        html(tag("div", components.empty("good", "All is well", words), class_="card"))
    for each in now.data if now else ():
        _build_alert(screen, each)
    if past is not None and past.data:
        lines = [
            (each.kind.replace("_", " "), each.profile_id, each.evidence, _when(screen, each.cleared_at))
            for each in past.data
        ]
        html(components.card(components.table(("What", "Profile", "Evidence", "Cleared"), lines), title="Cleared"))


def _build_alert(screen: Screen, alert: Alert) -> None:
    async def acknowledge() -> None:
        body = {"by": screen.desk.session.operator or "an operator"}
        path = f"/alerts/{alert.alert_id}/acknowledge"
        if await act(screen.desk, "POST", "stats", path, body, said="Noted: you look after it."):
            screen.desk.feed.again(ALERTS)

    tone = "bad" if alert.severity == "critical" else "warn"
    profile = components.link(alert.profile_id, f"/packages/{alert.package_id}/profiles/{alert.profile_id}", "")
    with stack("card").props(f'data-testid="alert-{alert.alert_id}"'), stack("card-head").style("margin-bottom:0"):
        name = tag("h2", alert.kind.replace("_", " ").capitalize())
        raised = tag("p", profile, " · raised ", _when(screen, alert.raised_at), class_="soft small")
        top = tag("div", name, components.badge(alert.severity, tone), class_="line")
        html(tag("div", top, tag("p", alert.evidence), raised))
        if alert.state == "raised":
            button("I look after it", acknowledge).props('data-testid="acknowledge"')
        else:
            html(together(components.badge(f"{alert.acknowledged_by or 'somebody'} looks after it", "info")))


def _when(screen: Screen, moment: Any) -> str:
    return formats.ago(moment, screen.desk.now())
