"""Alerts page: the open alerts in groups, with their evidence and buttons to acknowledge them; and the last cleared
alerts."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from nicegui import ui

from console.core import formats
from console.core.api_models import ApiAlert, ApiAlertList
from console.core.markup import join, tag
from console.core.words import alert_groups
from console.core.words.alert_groups import AlertFilter, AlertGroup
from console.core.words.causes import cause
from console.data.polling_cache import Query
from console.ui import components
from console.ui.actions import error_text, notify, run_action
from console.ui.confirm import confirm
from console.ui.elements import button, html, stack
from console.ui.live_page import LivePage
from console.ui.page_context import ALERTS, PACKAGES

PAST = Query("stats", "/alerts?state=cleared&limit=50", ApiAlertList, interval_seconds=5.0)
SHOWN = 10
"""How many alerts of a group are shown until the operator asks for all."""
AT_ONCE = 10
SEVERITIES = {"": "Every severity", "critical": "Critical", "warning": "Warning"}
STATES = {"": "Acknowledged or not", "raised": "Not acknowledged", "acknowledged": "Acknowledged"}


async def show(page: LivePage) -> None:
    context = page.context
    await context.cache.load(PACKAGES, ALERTS, PAST)
    html(components.page_head("Alerts", "Problems that need attention. They clear when the cause is gone."))
    page.stale_notices(lambda: context.page_data(ALERTS, "alerts"))
    AlertList(page).build()


class AlertList:
    def __init__(self, page: LivePage) -> None:
        self._page = page
        self._filter = AlertFilter()
        self._unfolded: set[str] = set()
        """The groups of which all alerts are shown."""
        self._shown: Any = None

    def build(self) -> None:
        packages = self._page.context.latest(PACKAGES)
        names = {package.package_id: package.name for package in packages.data} if packages else {}
        with stack("line"):
            self._package = self._choice("Package", {"": "Every package", **names}, "filter-package")
            self._severity = self._choice("Severity", SEVERITIES, "filter-severity")
            self._state = self._choice("State", STATES, "filter-state")
        self._content = stack()
        self._page.on_update(self._update)

    def _choice(self, label: str, options: dict[str, str], testid: str) -> ui.select:
        element = ui.select(options, value="", on_change=self._choose)
        return element.props(f'outlined dense aria-label="{label}" data-testid="{testid}"')

    def _choose(self) -> None:
        self._filter = AlertFilter(self._package.value, self._severity.value, self._state.value)
        self._update()

    def _update(self) -> None:
        context = self._page.context
        alerts, past = context.latest(ALERTS), context.latest(PAST)
        packages = {alert.package_id for each in (alerts, past) if each for alert in each.data}
        names = tuple(context.all_profile_names(package) for package in sorted(packages))
        shown = (alerts, past, names, self._filter, frozenset(self._unfolded))
        if shown == self._shown:
            return
        self._shown = shown
        self._content.clear()
        with self._content:
            self._build(alerts, past)

    def _build(self, alerts: ApiAlertList | None, past: ApiAlertList | None) -> None:
        if alerts is not None and not alerts.data:
            words = tag("p", "No phone shows a sign of trouble.")
            html(tag("div", components.empty("good", "All is well", words), class_="card"))
        groups = alert_groups.groups(alerts.data, self._filter) if alerts else ()
        if alerts is not None and alerts.data and not groups:
            html(tag("p", "No alert fits the filter.", class_="soft"))
        raised = [alert for group in groups for alert in group.raised]
        if len(raised) > 1 and len(groups) > 1:
            with stack("line"):
                self._acknowledge_button(f"Acknowledge all {formats.count(len(raised))}", raised, "acknowledge-all")
        for group in groups:
            self._build_group(group)
        if past is not None and past.data:
            lines = [
                (
                    alert_groups.kind_name(alert.kind),
                    self._phone(alert),
                    cause(alert.evidence),
                    self._when(alert.cleared_at),
                )
                for alert in past.data
            ]
            html(components.card(components.table(("Problem", "Phone", "Evidence", "Cleared"), lines), title="Cleared"))

    def _build_group(self, group: AlertGroup) -> None:
        tone = "bad" if group.severity == "critical" else "warn"
        with stack("card").props(f'data-testid="alerts-{group.key}"'):
            with stack("card-head"):
                top = tag("div", tag("h2", self._heading(group)), components.badge(group.severity, tone), class_="line")
                html(tag("div", top, tag("p", f"{group.count}. {group.advice}", class_="soft small")))
                if len(group.raised) > 1:
                    self._acknowledge_button(
                        f"Acknowledge all {formats.count(len(group.raised))}", group.raised, "acknowledge-group"
                    )
            is_unfolded = group.key in self._unfolded
            for alert in group.alerts if is_unfolded else group.alerts[:SHOWN]:
                self._build_alert(alert)
            if len(group.alerts) > SHOWN and not is_unfolded:
                button(
                    f"Show all {formats.count(len(group.alerts))}", lambda: self._unfold(group), "button-bare"
                ).props('data-testid="show-all"')

    def _heading(self, group: AlertGroup) -> str:
        alert, *others = group.alerts
        if others:
            return group.name
        context = self._page.context
        return alert_groups.title(alert, self._phone_name(alert), context.package_name(alert.package_id))

    def _build_alert(self, alert: ApiAlert) -> None:
        package = self._page.context.package_name(alert.package_id)
        quiet = f" · cause gone {self._when(alert.quiet_since)}" if alert.quiet_since else None
        about = tag("span", f"{package} · raised {self._when(alert.raised_at)}", quiet, class_="soft small")
        with stack("line alert-row").props(f'data-testid="alert-{alert.alert_id}"'):
            words = tag("p", cause(alert.evidence), class_="small")
            html(tag("div", tag("div", self._phone(alert), about, class_="line"), words)).style(
                "flex:1;min-width:14rem"
            )
            if alert.state == "raised":
                button("Acknowledge", lambda: self._acknowledge(alert)).props('data-testid="acknowledge"')
            else:
                by = alert.acknowledged_by or "somebody"
                html(join(components.badge(f"Acknowledged by {by}", "info")))

    def _acknowledge_button(self, text: str, alerts: Sequence[ApiAlert], testid: str) -> None:
        async def press() -> None:
            words = "Others see that you work on them. The alerts stay until their cause is gone."
            number = formats.plural(len(alerts), "alert")
            if await confirm(f"Acknowledge {number}?", words, f"Acknowledge {number}", is_danger=False):
                await self._acknowledge_all(alerts)

        button(text, press).props(f'data-testid="{testid}"')

    def _unfold(self, group: AlertGroup) -> None:
        self._unfolded.add(group.key)
        self._update()

    async def _acknowledge(self, alert: ApiAlert) -> None:
        success = f"Acknowledged: {self._phone_name(alert)}."
        path, body = _acknowledgement(alert, self._operator)
        if await run_action(self._page.context, "POST", "stats", path, body, success=success):
            self._page.context.cache.refresh(ALERTS)

    async def _acknowledge_all(self, alerts: Sequence[ApiAlert]) -> None:
        slots, api, operator = asyncio.Semaphore(AT_ONCE), self._page.context.api, self._operator

        async def one(alert: ApiAlert) -> str:
            path, body = _acknowledgement(alert, operator)
            async with slots:
                return error_text(await api.call("POST", "stats", path, body), "stats")

        errors = [error for error in await asyncio.gather(*map(one, alerts)) if error]
        self._page.context.cache.refresh(ALERTS)
        done = formats.plural(len(alerts) - len(errors), "alert")
        if errors:
            notify(f"{done} acknowledged, {formats.count(len(errors))} not. {errors[0]}", is_error=True)
        else:
            notify(f"{done} acknowledged.")

    @property
    def _operator(self) -> str:
        return self._page.context.session.operator or "an operator"

    def _phone(self, alert: ApiAlert) -> Any:
        address = f"/packages/{alert.package_id}/profiles/{alert.profile_id}"
        return components.link(self._phone_name(alert), address, "")

    def _phone_name(self, alert: ApiAlert) -> str:
        return self._page.context.all_profile_names(alert.package_id).get(alert.profile_id, alert.profile_id)

    def _when(self, at: datetime | None) -> str:
        return formats.ago(at, self._page.context.now())


def _acknowledgement(alert: ApiAlert, operator: str) -> tuple[str, dict[str, str]]:
    """The path and the body of the request that acknowledges an alert."""
    return f"/alerts/{alert.alert_id}/acknowledge", {"by": operator}
