"""Gateway fields: the part of a form that asks for a phone's gateway and its credentials."""

from collections.abc import Mapping
from typing import Any

from nicegui import ui

from console.core.phones.gateway_kinds import KINDS
from console.ui.elements import stack
from console.ui.forms.text_form import TextForm


class GatewayFields:
    """`stored`: the gateway as the API shows it; empty for a new phone. Stored credentials are never shown."""

    def __init__(self, form: TextForm, stored: Mapping[str, Any], driver: str) -> None:
        self._form = form
        self._stored = stored
        self.driver = driver

    def build(self) -> None:
        names = {driver: kind.name for driver, kind in KINDS.items()}
        choice = ui.select(names, value=self.driver, label="Gateway", on_change=lambda event: self._show(event.value))
        choice.props('outlined dense aria-label="Gateway" data-testid="driver"').style("width:100%;max-width:34rem")
        self._box = stack("stack tight")
        self._show(self.driver)

    def _show(self, driver: str) -> None:
        kind, same = KINDS[driver], driver == self._stored.get("driver")
        self.driver = driver
        self._box.clear()
        self._form.forget("/gateway/")
        self._form.put("/gateway/driver", driver)
        with self._box:
            if kind.address:
                words = "" if kind.needs_address else "Empty: Meta's own address."
                value = str(self._stored.get("base_url") or "") if same else ""
                label = "Address of the gateway"
                self._form.text("/gateway/base_url", label, value=value, example=kind.address, words=words)
            value = str(self._stored.get("account") or "") if same else ""
            self._form.text("/gateway/account", kind.account_label, value=value, words=kind.account_words)
            for secret in kind.secrets:
                words = "Empty: the stored one stays. It is never shown." if same else secret.words
                name = f"/gateway/credentials/{secret.name}"
                self._form.text(name, secret.label, words=words, is_secret=True)
