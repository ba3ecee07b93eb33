"""Gateway card: the connection check of a phone, and the form that changes its gateway and credentials."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup
from nicegui.element import Element

from console.core.markup import join, tag
from console.core.phones.check_advice import Advice, advice, not_asked
from console.core.phones.phone_form import error_words, read_gateway
from console.data.api import CallRefused, CallResult, CallSucceeded
from console.pages.phones.gateway_fields import GatewayFields
from console.ui import components
from console.ui.actions import error_text, notify
from console.ui.elements import button, html, stack
from console.ui.forms.text_form import TextForm
from console.ui.live_page import LivePage

CHECK_SECONDS = 35.0
SAVE_SECONDS = 45.0
_CHANGED = "Somebody has changed this phone since you opened the page. Reload the page, and enter it again."


class CheckPanel:
    """Asks the gateway whether the phone can send, and shows the answer with what to do."""

    def __init__(self, page: LivePage, address: str, driver: str) -> None:
        self._page = page
        self._address = address
        self.driver = driver

    def build(self) -> None:
        self._shown = html(join()).props('aria-live="polite" data-testid="check-result"')

    async def check(self) -> None:
        self._shown.set_content(components.notice("Asking the gateway …", "info"))
        result = await self._page.context.api.call("POST", "ingress", f"{self._address}/check", seconds=CHECK_SECONDS)
        if isinstance(result, CallSucceeded):
            self.show(result.body)
        else:
            self._shown.set_content(_advice(not_asked(error_text(result, "ingress"))))

    def show(self, check: Mapping[str, Any] | None) -> None:
        """`check`: the result of the check; None if nothing was checked."""
        shown = not_asked("The gateway was not asked.") if check is None else advice(self.driver, check)
        self._shown.set_content(_advice(shown))


class GatewayCard:
    """`loaded`: the response with the profile."""

    def __init__(self, page: LivePage, address: str, loaded: CallSucceeded, check: CheckPanel) -> None:
        self._page = page
        self._address = address
        self._etag = loaded.etag
        self._check = check
        self._box = Element("section").classes("card stack tight").props('data-testid="gateway-card"')
        self._build(loaded.body["gateway"])

    def _build(self, stored: Mapping[str, Any]) -> None:
        self._form = TextForm()
        self._stored = stored
        self._box.clear()
        with self._box:
            is_set = (stored.get("credentials") or {}).get("set")
            words = "Credentials are stored encrypted, and never shown." if is_set else "No credentials are stored."
            html(tag("div", tag("h2", "Gateway"), tag("p", words, class_="soft small"), class_="stack tight"))
            GatewayFields(self._form, stored, str(stored["driver"])).build()
            self._form.build_errors()
            with stack("line"):
                button("Save the gateway", self._save).props('data-testid="save-gateway"')

    async def _save(self) -> None:
        reading = read_gateway(self._form.typed, self._stored)
        self._form.show_errors(reading.errors)
        if reading.errors:
            return
        result = await self._send(reading.body)
        if isinstance(result, CallRefused) and result.status == 412 and await self._is_same_gateway():
            result = await self._send(reading.body)  # somebody changed another setting of the phone
        if isinstance(result, CallSucceeded):
            self._etag = result.etag
            self._check.driver = result.body["gateway"]["driver"]
            notify("Gateway saved.")
            if self._check.driver != "simulator":
                self._check.show(result.body.get("check"))
            self._build(result.body["gateway"])
            return
        errors = result.fields if isinstance(result, CallRefused) else {}
        is_changed = isinstance(result, CallRefused) and result.status == 412
        words = _CHANGED if is_changed else error_text(result, "ingress")
        self._form.show_errors({name: error_words(detail) for name, detail in errors.items()}, words)

    async def _send(self, gateway: Mapping[str, Any]) -> CallResult:
        headers = {"If-Match": self._etag} if self._etag else {}
        api, body = self._page.context.api, {"gateway": gateway}
        return await api.call("PATCH", "ingress", self._address, body, headers=headers, seconds=SAVE_SECONDS)

    async def _is_same_gateway(self) -> bool:
        """Read the phone again. Returns whether its gateway is still the one that the form was filled with."""
        present = await self._page.context.api.get("ingress", self._address)
        if not isinstance(present, CallSucceeded) or present.body["gateway"] != self._stored:
            return False
        self._etag = present.etag
        return True


def _advice(shown: Advice) -> Markup:
    todo = tag("p", tag("b", "What to do: "), shown.todo) if shown.todo else None
    said = tag("p", f"The gateway: {shown.detail}", class_="small", dir="auto") if shown.detail else None
    return components.notice(join(tag("b", shown.title), todo, said), shown.tone, "advice")
