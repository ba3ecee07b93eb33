"""Editor: a settings form with a Save button that sends the changes and shows the API's errors."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nicegui import ui

from console.core import formats
from console.core.markup import join
from console.core.setting_texts import SettingGroup
from console.data.api import CallRefused, CallSucceeded
from console.ui import components
from console.ui.actions import error_text, notify
from console.ui.elements import button, html, stack
from console.ui.fields import SettingsForm
from console.ui.live_page import LivePage


class SettingsEditor:
    """Edits the package or profile that the ingress serves at `address`. `on_saved` gets the saved document."""

    def __init__(
        self,
        page: LivePage,
        address: str,
        groups: Sequence[SettingGroup],
        document: Mapping[str, Any],
        on_saved: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._page = page
        self._address = address
        self._on_saved = on_saved
        self.form = SettingsForm(groups, document, self._show_changes)

    def build(self, effects: Mapping[str, str], beside: Callable[[], None] | None = None) -> None:
        """Add the fields to the page, and below them a bar with the Save button. `beside` adds elements to the bar."""
        self.form.build(effects)
        self._errors = html(join())
        with stack("savebar"):
            self._summary = html(join()).classes("soft")
            ui.space()
            if beside is not None:
                beside()
            self._save = button("Save", self.save, "button-main").props('data-testid="save"')
        self._show_changes()

    async def save(self) -> None:
        result = await self._page.context.api.call("PATCH", "ingress", self._address, self.form.patch)
        if isinstance(result, CallSucceeded):
            self.show_errors({})
            for warning in result.body.get("warnings", ()):
                notify(warning["detail"], is_error=True)
            notify("Saved. It is in force everywhere within a second or two.")
            self._on_saved(result.body)
        elif isinstance(result, CallRefused) and result.fields:
            self.show_errors(result.fields)
            notify("Not saved: see the marked fields.", is_error=True)
        else:
            self.show_errors({"": error_text(result, "ingress")})

    def show_errors(self, errors: Mapping[str, str]) -> None:
        """Show each error at its field. Show the errors that belong to no field below the form."""
        others = self.form.show_errors(errors)
        self._errors.set_content(join(*(components.notice(error, "bad", "form-error") for error in others)))

    def _show_changes(self) -> None:
        changed = self.form.changed
        names = ", ".join(field.label for field in changed[:4])
        text = f"{formats.plural(len(changed), 'change')}: {names}" if changed else "Nothing changed yet."
        self._summary.set_content(join(text))
        self._save.set_enabled(bool(changed) and not self.form.invalid)
