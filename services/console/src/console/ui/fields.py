"""Fields: a form's fields, each with its words, what it does now, and what the service has against it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from zoneinfo import available_timezones

from nicegui import ui
from nicegui.element import Element

from console.core import draft
from console.core.markup import tag, together
from console.core.setting_texts import STRATEGIES, Field, Group
from console.ui.elements import html, stack

LOOKS = "outlined dense hide-bottom-space"


class Form:
    """What stands in the fields; `heard` is called whenever something was typed."""

    def __init__(self, groups: Sequence[Group], document: Mapping[str, Any], heard: Callable[[], None]) -> None:
        self.groups = groups
        self.fields = tuple(each for group in groups for each in group.fields)
        self.before = draft.begin(document, self.fields)
        self.now = dict(self.before)
        self.unreadable: dict[str, str] = {}
        self._heard = heard
        self._shown: dict[str, FieldView] = {}

    def build(self, effects: Mapping[str, str]) -> None:
        for group in self.groups:
            with stack("card"):
                html(
                    tag("div", tag("h2", group.title), tag("p", group.words, class_="soft small"), class_="stack tight")
                )
                for field in group.fields:
                    value = draft.written(field, self.before[field.pointer])
                    self._shown[field.pointer] = FieldView(field, value, self._typed, effects.get(field.pointer, ""))
        self._show()

    @property
    def patch(self) -> dict[str, Any]:
        return draft.patch(self.fields, self.before, self.now)

    @property
    def changed(self) -> list[Field]:
        return draft.changed(self.fields, self.before, self.now)

    def complain(self, errors: Mapping[str, str]) -> list[str]:
        """Show each complaint at its field; answers those that belong to none."""
        for pointer, view in self._shown.items():
            view.complain(next((words for place, words in errors.items() if place.startswith(pointer)), ""))
        return [words for place, words in errors.items() if not any(place.startswith(each) for each in self._shown)]

    def effects(self, said: Mapping[str, str]) -> None:
        for pointer, view in self._shown.items():
            view.effect(said.get(pointer, ""))

    def _typed(self, field: Field, typed: Any) -> None:
        try:
            self.now[field.pointer] = draft.read(field, typed)
            self.unreadable.pop(field.pointer, None)
        except draft.NotReadable as reason:
            self.unreadable[field.pointer] = str(reason)
        self._shown[field.pointer].complain(self.unreadable.get(field.pointer, ""))
        self._show()
        self._heard()

    def _show(self) -> None:
        different = {each.pointer for each in self.changed}
        for field in self.fields:
            self._shown[field.pointer].mark(field.pointer in different, bool(self.now.get(field.only_with, True)))


class FieldView:
    def __init__(self, field: Field, value: Any, typed: Callable[[Field, Any], None], effect: str) -> None:
        self._field = field
        name = field.pointer[1:].replace("/", "-")
        with Element("div").classes("setting") as self._line:
            words = tag("span", field.words, class_="field-words", id=f"words-{name}")
            html(tag("div", tag("span", field.label, class_="field-label"), words, class_="field"))
            with stack("field"):
                self._input = _input(field, value, lambda event: typed(field, event.value))
                self._input.props(f'data-testid="field-{name}" aria-describedby="words-{name}"')
                self._effect = html(together(effect)).classes("field-now")
                self._error = html(together()).classes("field-error").props('role="alert"')

    def complain(self, words: str) -> None:
        self._error.set_content(together(words))
        self._input.props("error") if words else self._input.props(remove="error")

    def effect(self, words: str) -> None:
        if str(together(words)) != self._effect.content:
            self._effect.set_content(together(words))

    def mark(self, is_changed: bool, is_used: bool) -> None:
        self._line.classes(add="changed" if is_changed else "", remove="" if is_changed else "changed")
        self._line.set_visibility(is_used)


def _input(field: Field, value: Any, typed: Callable[[Any], None]) -> Any:
    label = field.label.replace('"', "")
    match field.kind:
        case "switch":
            return ui.switch(value=bool(value), on_change=typed).props(f'aria-label="{label}" dense')
        case "choice":
            made = ui.select(dict(STRATEGIES), value=value, on_change=typed)
        case "zone":
            made = ui.select(sorted(available_timezones()), value=value, on_change=typed, with_input=True)
        case "number":
            made = ui.input(value="" if value is None else f"{value:g}", on_change=typed).props('inputmode="decimal"')
        case "time" | "moment":
            made = ui.input(value=value, on_change=typed).props(f'type="{"time" if field.kind == "time" else "date"}"')
        case "text" | "phone" | "windows" | "words":
            made = ui.input(value=value or "", on_change=typed)
    if field.unit:
        made.props(f'suffix="{field.unit}"')
    if field.empty:
        made.props(f'placeholder="{field.empty}"')
    return made.props(f'{LOOKS} aria-label="{label}"').classes("w-full")
