"""Editing: a form over something that the API keeps: save what differs, and show what the service has against it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nicegui import ui

from console.core import formats
from console.core.markup import together
from console.core.setting_texts import Group
from console.data.api import Given, Refused
from console.ui import components
from console.ui.actions import tell, trouble
from console.ui.elements import html, stack
from console.ui.fields import Form
from console.ui.live_page import Screen


class Editor:
    """`address` is kept by the ingress and changed by PATCH; `saved` hears of the answer."""

    def __init__(
        self, screen: Screen, address: str, groups: Sequence[Group], document: Mapping[str, Any],
        saved: Callable[[Mapping[str, Any]], None],
    ) -> None:  # fmt: skip
        self._screen = screen
        self._address = address
        self._saved = saved
        self.form = Form(groups, document, self._typed)

    def build(self, effects: Mapping[str, str], beside: Callable[[], None] | None = None) -> None:
        """The fields, and below them the bar that saves; `beside` adds to it."""
        self.form.build(effects)
        self._errors = html(together())
        with stack("savebar"):
            self._said = html(together()).classes("soft")
            ui.space()
            if beside is not None:
                beside()
            self._save = button("Save", self.save, "button-main").props('data-testid="save"')
        self._typed()

    async def save(self) -> None:
        answer = await self._screen.desk.api.call("PATCH", "ingress", self._address, self.form.patch)
        if isinstance(answer, Given):
            self.complain({})
            for each in answer.body.get("warnings", ()):
                tell(each["detail"], bad=True)
            tell("Saved. It is in force everywhere within a second or two.")
            self._saved(answer.body)
        elif isinstance(answer, Refused) and answer.fields:
            self.complain(answer.fields)
            tell("Not saved: see the marked fields.", bad=True)
        else:
            self.complain({"": trouble(answer, "ingress")})

    def complain(self, errors: Mapping[str, str]) -> None:
        left = self.form.complain(errors)
        self._errors.set_content(together(*(components.notice(each, "bad", "form-error") for each in left)))

    def _typed(self) -> None:
        changed = self.form.changed
        names = ", ".join(each.label for each in changed[:4])
        words = f"{formats.plural(len(changed), 'change')}: {names}" if changed else "Nothing changed yet."
        self._said.set_content(together(words))
        self._save.set_enabled(bool(changed) and not self.form.unreadable)


def button(words: str, press: Callable[..., Any], kind: str = "") -> ui.button:
    return ui.button(words, on_click=press, color=None).props("flat no-caps").classes(f"button {kind}")
