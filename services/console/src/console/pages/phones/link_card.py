"""Link card: links a phone's WhatsApp account by QR code or pairing code, and logs it out."""

from datetime import datetime
from typing import Any, Literal

from markupsafe import Markup
from nicegui import ui
from nicegui.element import Element

from console.core import formats
from console.core.markup import join, tag
from console.data.api import CallResult, CallSucceeded
from console.ui import components
from console.ui.actions import error_text, notify
from console.ui.confirm import confirm
from console.ui.elements import button, html, stack
from console.ui.live_page import LivePage

Method = Literal["qr", "code"]

POLL_SECONDS = 3.0
BEGIN_SECONDS = 65.0
READ_SECONDS = 35.0
_QR_STEPS = (
    "Open WhatsApp on the phone.",
    "Open Settings, then Linked devices, then Link a device.",
    "Scan this picture. It is renewed by itself.",
)
_CODE_STEPS = (
    "Open WhatsApp on the phone.",
    "Open Settings, then Linked devices, then Link a device, then Link with phone number instead.",
    "Enter this code.",
)


class LinkCard:
    def __init__(self, page: LivePage, profile_id: str, name: str) -> None:
        self._page = page
        self._path = f"/profiles/{profile_id}"
        self._name = name
        self._method: Method = "qr"
        self._is_asking = False

    def build(self) -> None:
        with Element("section").classes("card stack tight").props('data-testid="link-card"'):
            words = "WhatsApp must be linked to the gateway once, like WhatsApp Web. You need the phone at hand."
            html(
                tag("div", tag("h2", "Link with WhatsApp"), tag("p", words, class_="soft small"), class_="stack tight")
            )
            self._shown = html(join()).props('aria-live="polite" data-testid="link-state"')
            with stack("line"):
                self._qr = button("Link this phone", lambda: self._begin("qr"), "button-main")
                self._qr.props('data-testid="link-qr"')
                self._code = button("Link by pairing code", lambda: self._begin("code")).props(
                    'data-testid="link-code"'
                )
                button("Log out …", self._log_out, "button-bare").props('data-testid="log-out"')
        self._timer = ui.timer(POLL_SECONDS, self._poll, active=False)

    async def _begin(self, method: Method) -> None:
        self._method = method
        self._shown.set_content(components.notice("Asking the gateway …", "info"))
        self._set_busy(True)
        body = {"method": method}
        result = await self._page.context.api.call("POST", "ingress", f"{self._path}/link", body, seconds=BEGIN_SECONDS)
        self._set_busy(False)
        self._show(result)

    async def _poll(self) -> None:
        if self._is_asking:
            return
        self._is_asking = True
        try:
            self._show(await self._page.context.api.get("ingress", f"{self._path}/link", READ_SECONDS))
        finally:
            self._is_asking = False

    async def _log_out(self) -> None:
        words = (
            "It can send and receive nothing until somebody links it again. Its waiting messages wait, or go to other "
            "phones of the package."
        )
        if not await confirm(f"Log “{self._name}” out of WhatsApp?", words, "Log out"):
            return
        self._timer.deactivate()
        result = await self._page.context.api.call("POST", "ingress", f"{self._path}/logout", seconds=BEGIN_SECONDS)
        if isinstance(result, CallSucceeded) and result.body["state"] != "failed":
            notify(f"“{self._name}” is logged out.")
            self._shown.set_content(components.notice("Logged out. Link the phone to send again.", "warn"))
        else:
            self._show(result)

    def _set_busy(self, is_busy: bool) -> None:
        self._qr.set_enabled(not is_busy)
        self._code.set_enabled(not is_busy)

    def _show(self, result: CallResult) -> None:
        if not isinstance(result, CallSucceeded):
            self._timer.deactivate()
            self._shown.set_content(components.notice(error_text(result, "ingress"), "bad"))
            return
        link = result.body
        is_waiting = link["state"] == "waiting"
        (self._timer.activate if is_waiting else self._timer.deactivate)()
        rendered = self._waiting(link) if is_waiting else _ended(link)
        if rendered != self._shown.content:
            self._shown.set_content(rendered)

    def _waiting(self, link: dict[str, Any]) -> Markup:
        picture: Markup | None = None
        if link["qr_png"]:
            source = f"data:image/png;base64,{link['qr_png']}"
            picture = tag("img", src=source, alt="QR code to scan with WhatsApp", class_="qr", data_testid="qr")
        elif link["code"]:
            picture = tag("p", link["code"], class_="pairing-code mono", data_testid="pairing-code")
        steps = _QR_STEPS if self._method == "qr" else _CODE_STEPS
        what = "picture" if self._method == "qr" else "code"
        wait = (
            None
            if picture
            else components.notice(f"The gateway is making the {what}. This takes some seconds.", "info")
        )
        left = formats.until(datetime.fromisoformat(link["expires_at"]), self._page.context.wall_now())
        how = tag("ol", *(tag("li", step) for step in steps), class_="how") if picture else None
        ends = tag("p", f"This attempt ends {left}.", class_="soft small")
        return join(wait, tag("div", picture, tag("div", how, ends), class_="link-box"))


def _ended(link: dict[str, Any]) -> Markup:
    match link["state"]:
        case "linked":
            return components.notice("Linked. WhatsApp works on this phone.", "good", "linked")
        case "expired":
            words = "The time is over, and the phone is not linked. Press “Link this phone” to begin again."
            return components.notice(words, "warn", "link-expired")
        case _:
            said = tag("p", f"The gateway: {link['detail']}", class_="small", dir="auto")
            words = "The gateway refused to link the phone. Correct the cause, then begin again."
            return components.notice(join(tag("b", words), said), "bad", "link-failed")
