"""Webhook card: the address at which a phone's gateway reports, and the button that sets it at the gateway."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup
from nicegui import ui
from nicegui.element import Element

from console.core.markup import join, tag
from console.core.phones.gateway_kinds import KINDS, gateway_name
from console.data.api import CallSucceeded
from console.ui import components
from console.ui.actions import error_text, notify
from console.ui.confirm import confirm
from console.ui.elements import button, html, stack
from console.ui.live_page import LivePage

SET_SECONDS = 120.0
INCOMPLETE = (
    "The beginning of this address is missing: whoever runs Spreader must set SPREADER_PUBLIC_URL to the address at "
    "which gateways reach it."
)
_STEPS = {
    "address": "Know the address", "session": "Find the session", "instance": "Find the instance",
    "credentials": "Read the credentials", "set": "Set the address", "read back": "Read it back",
    "received": "Receive a call",
}  # fmt: skip
_ASK: Mapping[str, str] = {
    "waha": "WAHA restarts the session for it. The phone sends nothing for some seconds, and then goes on by itself.",
    "evolution": "Evolution connects the instance again, which shows that calls arrive. The phone sends nothing for "
    "some seconds.",
    "cloud_api": "Meta then reports everything about the numbers of this business account to this address.",
}


class WebhookCard:
    def __init__(self, page: LivePage, document: Mapping[str, Any]) -> None:
        self._page = page
        self._driver = str(document["gateway"]["driver"])
        self._path = f"/profiles/{document['profile_id']}/webhook"
        self._address = str(document["webhook_url"])

    def build(self) -> None:
        with Element("section").classes("card stack tight").props('data-testid="webhook-card"'):
            words = (
                f"{gateway_name(self._driver)} must report to this address. Otherwise you see no customers' messages "
                "and no receipts."
            )
            html(tag("div", tag("h2", "Webhook"), tag("p", words, class_="soft small"), class_="stack tight"))
            html(components.copyable(self._address, "webhook-address"))
            if self._address.startswith("/"):
                html(components.notice(INCOMPLETE, "warn", "webhook-incomplete"))
            html(_by_hand(self._driver))
            if self._driver == "simulator":
                return
            self._account: ui.input | None = None
            if self._driver == "cloud_api":
                self._account = ui.input("WhatsApp Business Account ID (optional)").style("width:100%;max-width:34rem")
                self._account.props('outlined dense bottom-slots data-testid="waba-id"')
                self._account.props["hint"] = "Only if Meta does not tell which account the number belongs to."
            self._result = html(join()).props('aria-live="polite" data-testid="webhook-result"')
            with stack("line"):
                button("Set it at the gateway …", self._set).props('data-testid="set-webhook"')

    async def _set(self) -> None:
        waba_id = (self._account.value or "").strip() if self._account else ""
        if waba_id and not (waba_id.isascii() and waba_id.isdecimal()):
            notify("The WhatsApp Business Account ID has digits only.", is_error=True)
            return
        if not await confirm("Set the webhook now?", _ASK[self._driver], "Set the webhook", is_danger=False):
            return
        self._result.set_content(components.notice("Setting it, and waiting for a call of the gateway …", "info"))
        body = {"restart": True, **({"waba_id": waba_id} if waba_id else {})}
        result = await self._page.context.api.call("POST", "ingress", self._path, body, seconds=SET_SECONDS)
        if isinstance(result, CallSucceeded):
            self._result.set_content(_outcome(result.body))
        else:
            self._result.set_content(components.notice(error_text(result, "ingress"), "bad"))


def _by_hand(driver: str) -> Markup:
    kind = KINDS[driver]
    title = tag("summary", f"How to set it by hand at {gateway_name(driver)}")
    return tag("details", title, tag("ol", *(tag("li", step) for step in kind.steps), class_="how"), class_="small")


def _outcome(body: Mapping[str, Any]) -> Markup:
    if body["received"]:
        notice = components.notice("Set. A call of the gateway has arrived.", "good", "webhook-set")
    elif body["set"]:
        words = "Set, but no call of the gateway has arrived yet. See the last step."
        notice = components.notice(words, "warn", "webhook-set")
    else:
        notice = components.notice("Not set. See which step failed.", "bad", "webhook-set")
    lines = [
        (_STEPS.get(step["name"], step["name"]), "✓ done" if step["ok"] else "✗ not done", step["detail"])
        for step in body["steps"]
    ]
    return join(notice, components.table(("Step", "", "What the gateway said"), lines, testid="webhook-steps"))
