"""Editor: a settings form with a Save button that sends the changes and shows the API's errors.

Somebody else may change the same document while the operator edits it. The editor shows such a change before it can be
overwritten. The operator then loads the present version, and saves again.
"""

from collections.abc import Callable, Mapping, Sequence

from markupsafe import Markup
from nicegui import ui

from console.core import conflict, formats
from console.core.api_models import ApiChangeList
from console.core.conflict import ForeignChange
from console.core.markup import join, tag
from console.core.setting_texts import SettingGroup
from console.data.api import CallRefused, CallResult, CallSucceeded
from console.ui import components
from console.ui.actions import error_text, notify
from console.ui.elements import button, html, stack
from console.ui.fields import SettingsForm
from console.ui.live_page import LivePage

CHANGED = "changed"
"""The code of the problem that the ingress returns if the document has changed since the form was opened."""


class SettingsEditor:
    """Edits the package or profile that the ingress serves at `address`.

    `loaded`: the response with the document to edit. `on_saved` gets the response with the saved document.
    """

    def __init__(
        self,
        page: LivePage,
        address: str,
        groups: Sequence[SettingGroup],
        loaded: CallSucceeded,
        on_saved: Callable[[CallSucceeded], None],
    ) -> None:
        self._page = page
        self._address = address
        self._loaded = loaded
        self._on_saved = on_saved
        self.form = SettingsForm(groups, loaded.body, self._show_changes)

    def build(self, effects: Mapping[str, str], beside: Callable[[], None] | None = None) -> None:
        """Add the fields to the page, and below them a bar with the Save button. `beside` adds elements to the bar."""
        self.form.build(effects)
        self._errors = html(join())
        self._conflict = stack("stack tight").props('aria-live="polite" data-testid="conflict"')
        with stack("savebar") as self._bar:
            self._summary = html(join()).classes("soft")
            ui.space()
            if beside is not None:
                beside()
            self._save = button("Save", self.save, "button-main").props('data-testid="save"')
        self._show_changes()

    def watch(self, version: Callable[[], int | None]) -> None:
        """Show a notice when somebody else has saved the document meanwhile. `version` returns its present
        version."""

        def render() -> Markup:
            present, loaded = version(), self._loaded.body.get("version")
            if present is None or loaded is None or present <= loaded:
                return join()
            words = "Somebody else changed these settings meanwhile. If you save, you see first what they changed."
            return components.notice(words, "info", "changed-meanwhile")

        self._page.live_html(render)

    async def save(self) -> None:
        result = await self._send()
        if isinstance(result, CallRefused) and result.code == CHANGED:
            result = await self._meet_conflict()
        if isinstance(result, CallSucceeded):
            self.show_errors({})
            for warning in result.body.get("warnings", ()):
                notify(warning["detail"], is_error=True)
            notify("Saved.")
            self._on_saved(result)
        elif isinstance(result, CallRefused) and result.fields:
            self.show_errors(result.fields)
            notify("Not saved: see the marked fields.", is_error=True)
        elif result is not None:
            self.show_errors({"": error_text(result, "ingress")})

    def show_errors(self, errors: Mapping[str, str]) -> None:
        """Show each error at its field. Show the errors that belong to no field below the form."""
        others = self.form.show_errors(errors)
        self._errors.set_content(join(*(components.notice(error, "bad", "form-error") for error in others)))

    async def _send(self) -> CallResult:
        headers = {"If-Match": self._loaded.etag} if self._loaded.etag else {}
        api = self._page.context.api
        return await api.call("PATCH", "ingress", self._address, self.form.patch, headers=headers)

    async def _meet_conflict(self) -> CallResult | None:
        """Handle a change that somebody else has made. If it concerns no setting of this form, save. Otherwise show the
        change, and return None."""
        present = await self._page.context.api.get("ingress", self._address)
        if not isinstance(present, CallSucceeded):
            return present
        changes = conflict.foreign_changes(self.form.fields, self._loaded.body, present.body)
        if not changes:
            self._loaded = present
            return await self._send()
        _, _, package_id, *profile = self._address.split("/", 3)
        history = await self._page.context.api.get("ingress", f"/packages/{package_id}/changes?limit=100")
        if isinstance(history, CallSucceeded):
            root = f"/{profile[0]}" if profile else ""
            changes = conflict.with_authors(changes, ApiChangeList.model_validate(history.body).data, root)
        self._show_conflict(changes, present, package_id)
        return None

    def _show_conflict(self, changes: Sequence[ForeignChange], present: CallSucceeded, package_id: str) -> None:
        context = self._page.context
        zone, now = context.zone(package_id), context.now()
        now_typed = self.form.now
        typed = {each.pointer: conflict.value_text(each, now_typed[each.pointer]) for each in self.form.changed}
        lines = [
            tag(
                "li",
                tag("b", f"{change.field.label}: "),
                change.sentence(zone, now),
                f" You typed {typed[change.field.pointer]}." if change.field.pointer in typed else None,
            )
            for change in changes
        ]
        words = f"Not saved: {formats.plural(len(changes), 'setting')} changed since you opened this page."
        self.show_errors({})
        self._conflict.clear()
        with self._conflict:
            html(components.notice(join(words, tag("ul", *lines)), "bad", "changed"))
            load = button("Load the present version", lambda: self._load(present))
            load.props('data-testid="load-present"')

    def _load(self, present: CallSucceeded) -> None:
        self._loaded = present
        self.form.rebase(present.body)
        self._conflict.clear()
        notify("This is the present version, with what you typed. Look at it, then save.")

    def _show_changes(self) -> None:
        changed = self.form.changed
        names = ", ".join(field.label for field in changed[:4])
        wrong = self.form.wrong
        text = f"{formats.plural(len(changed), 'change')}: {names}" if changed else "Nothing changed yet."
        if wrong:
            text = f"Correct first: {', '.join(field.label for field in wrong[:4])}"
        self._summary.set_content(join(text))
        self._summary.classes(add="tone-bad" if wrong else "", remove="" if wrong else "tone-bad")
        self._bar.props(f'data-dirty="{"true" if changed or wrong else "false"}"')
        self._save.set_enabled(bool(changed) and not wrong)
