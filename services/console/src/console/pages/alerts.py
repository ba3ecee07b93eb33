"""Alerts page: the open alerts with their evidence and a button to acknowledge each, and the last cleared alerts."""

from datetime import datetime
from typing import Any

from console.core import formats
from console.core.api_models import ApiAlert, ApiAlertList
from console.core.markup import join, tag
from console.data.polling_cache import Query
from console.ui import components
from console.ui.actions import run_action
from console.ui.elements import button, html, stack
from console.ui.live_page import LivePage
from console.ui.page_context import ALERTS, PACKAGES

PAST = Query("stats", "/alerts?state=cleared&limit=50", ApiAlertList, interval_seconds=5.0)


async def show(page: LivePage) -> None:
    context = page.context
    await context.cache.load(PACKAGES, ALERTS, PAST)
    html(
        components.page_head(
            "Alerts", "What the stats noticed and a person should know. Each clears by itself with its cause."
        )
    )
    page.stale_notices(lambda: context.page_data(ALERTS, "alerts"))
    content = stack()
    shown: list[Any] = [None]

    def update() -> None:
        alerts = context.latest(ALERTS), context.latest(PAST)
        if alerts == shown[0] and shown[0] is not None:
            return
        shown[0] = alerts
        content.clear()
        with content:
            _build(page, *alerts)

    page.on_update(update)


def _build(page: LivePage, now: ApiAlertList | None, past: ApiAlertList | None) -> None:
    if now is not None and not now.data:
        words = tag("p", "No profile shows a sign of trouble. Hard signs are acted on at once, and shown here.")
        html(tag("div", components.empty("good", "All is well", words), class_="card"))
    for alert in now.data if now else ():
        _build_alert(page, alert)
    if past is not None and past.data:
        lines = [
            (alert.kind.replace("_", " "), alert.profile_id, alert.evidence, _when(page, alert.cleared_at))
            for alert in past.data
        ]
        html(components.card(components.table(("What", "Profile", "Evidence", "Cleared"), lines), title="Cleared"))


def _build_alert(page: LivePage, alert: ApiAlert) -> None:
    async def acknowledge() -> None:
        body = {"by": page.context.session.operator or "an operator"}
        path = f"/alerts/{alert.alert_id}/acknowledge"
        if await run_action(page.context, "POST", "stats", path, body, success="Noted: you look after it."):
            page.context.cache.refresh(ALERTS)

    tone = "bad" if alert.severity == "critical" else "warn"
    profile = components.link(alert.profile_id, f"/packages/{alert.package_id}/profiles/{alert.profile_id}", "")
    with stack("card").props(f'data-testid="alert-{alert.alert_id}"'), stack("card-head").style("margin-bottom:0"):
        name = tag("h2", alert.kind.replace("_", " ").capitalize())
        quiet = f" · its cause went away {_when(page, alert.quiet_since)}" if alert.quiet_since else None
        raised = tag("p", profile, " · raised ", _when(page, alert.raised_at), quiet, class_="soft small")
        top = tag("div", name, components.badge(alert.severity, tone), class_="line")
        html(tag("div", top, tag("p", alert.evidence), raised))
        if alert.state == "raised":
            button("I look after it", acknowledge).props('data-testid="acknowledge"')
        else:
            html(join(components.badge(f"{alert.acknowledged_by or 'somebody'} looks after it", "info")))


def _when(page: LivePage, at: datetime | None) -> str:
    return formats.ago(at, page.context.now())
