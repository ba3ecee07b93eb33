"""Fields: a form of settings. A field shows an explanation, what the setting does now, and the error in its value."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from zoneinfo import available_timezones

from nicegui import ui
from nicegui.element import Element

from console.core import draft
from console.core.markup import join, tag
from console.core.setting_texts import NO_LIMIT, STRATEGIES, SettingField, SettingGroup
from console.theme import icon
from console.ui.elements import button, html, stack

STYLE = "outlined dense hide-bottom-space"


class SettingsForm:
    """The fields of a form with their saved values and their typed values. Each change of a typed value calls
    `on_change`."""

    def __init__(
        self, groups: Sequence[SettingGroup], document: Mapping[str, Any], on_change: Callable[[], None]
    ) -> None:
        self.groups = groups
        self.fields = tuple(field for group in groups for field in group.fields)
        self.before = draft.initial_values(document, self.fields)
        self.now = dict(self.before)
        self.invalid: dict[str, str] = {}
        self.contradictions: dict[str, str] = {}
        self._on_change = on_change
        self._is_rebasing = False
        self._views: dict[str, FieldView] = {}
        self._folds: dict[str, Element] = {}
        """The folded part of the form that a field is in, by pointer."""

    def build(self, effects: Mapping[str, str]) -> None:
        for group in self.groups:
            with stack("card"):
                html(
                    tag("div", tag("h2", group.title), tag("p", group.words, class_="soft small"), class_="stack tight")
                )
                for field in group.fields:
                    if not field.advanced:
                        self._build_field(field, effects)
                if advanced := [field for field in group.fields if field.advanced]:
                    with Element("details").classes("fold advanced") as fold:
                        html(tag("span", icon("next"), class_="icon-turn") + tag("span", "Advanced"), "summary")
                        for field in advanced:
                            self._build_field(field, effects)
                            self._folds[field.pointer] = fold
        self._show_changes()

    def _build_field(self, field: SettingField, effects: Mapping[str, str]) -> None:
        value = draft.format_value(field, self.before[field.pointer])
        self._views[field.pointer] = FieldView(field, value, self._change, effects.get(field.pointer, ""))

    @property
    def patch(self) -> dict[str, Any]:
        return draft.patch(self.fields, self.before, self.now)

    @property
    def changed(self) -> list[SettingField]:
        return draft.changed_fields(self.fields, self.before, self.now)

    def rebase(self, document: Mapping[str, Any]) -> None:
        """Take the values of another version of the document, but keep everything that the operator typed."""
        present = draft.initial_values(document, self.fields)
        kept = {field.pointer for field in self.fields if self.now[field.pointer] != self.before[field.pointer]}
        self.before, self.now = present, draft.rebased(self.fields, self.before, self.now, present)
        self._is_rebasing = True
        try:
            for field in self.fields:
                if field.pointer not in kept | self.invalid.keys():
                    self._views[field.pointer].set_value(draft.format_value(field, present[field.pointer]))
        finally:
            self._is_rebasing = False
        self._show_changes()
        self._on_change()

    def show_errors(self, errors: Mapping[str, str]) -> list[str]:
        """Show each error at its field. Returns the errors that belong to no field."""
        for pointer, view in self._views.items():
            error = next((error for at, error in errors.items() if at.startswith(pointer)), "")
            view.show_error(error)
            if error and pointer in self._folds:
                self._folds[pointer].props("open")
        return [error for at, error in errors.items() if not any(at.startswith(pointer) for pointer in self._views)]

    def show_effects(self, effects: Mapping[str, str]) -> None:
        for pointer, view in self._views.items():
            view.show_effect(effects.get(pointer, ""))

    def _change(self, field: SettingField, typed: Any) -> None:
        if self._is_rebasing:
            return
        try:
            self.now[field.pointer] = draft.parse(field, typed)
            self.invalid.pop(field.pointer, None)
        except draft.InvalidValue as reason:
            self.invalid[field.pointer] = str(reason)
        self._show_invalid()
        self._show_changes()
        self._on_change()

    def _show_invalid(self) -> None:
        """Show what is wrong with each field: its text is no value, or its value contradicts another."""
        self.contradictions = draft.contradictions(self.fields, self.before, self.now)
        for field in self.fields:
            wrong = self.invalid.get(field.pointer) or self.contradictions.get(field.pointer, "")
            self._views[field.pointer].show_error(wrong)

    @property
    def wrong(self) -> list[SettingField]:
        """The fields that cannot be saved as they are."""
        return [each for each in self.fields if each.pointer in self.invalid or each.pointer in self.contradictions]

    def _show_changes(self) -> None:
        changed = {field.pointer for field in self.changed}
        for field in self.fields:
            self._views[field.pointer].mark(field.pointer in changed, bool(self.now.get(field.only_with, True)))


class FieldView:
    """The elements that show one field."""

    def __init__(
        self, field: SettingField, value: Any, on_change: Callable[[SettingField, Any], None], effect: str
    ) -> None:
        self._field = field
        name = field.pointer[1:].replace("/", "-")
        with Element("div").classes("setting") as self._line:
            words = tag("span", field.words, class_="field-words", id=f"words-{name}")
            html(tag("div", tag("span", field.label, class_="field-label"), words, class_="field"))
            with stack("field"):
                self._input = _input(field, value, lambda event: on_change(field, event.value))
                self._input.props(f'data-testid="field-{name}" aria-describedby="words-{name}"')
                if field.kind == "own_limit":
                    self._build_choices(name)
                self._effect = html(join(effect)).classes("field-now")
                self._error = html(join()).classes("field-error").props('role="alert"')

    def _build_choices(self, name: str) -> None:
        """Add the buttons that set a profile's own limit back to the package's limit, or to no limit."""
        choices = {"package": ("The package's", ""), **({"none": ("No limit", NO_LIMIT)} if self._field.null else {})}
        with stack("line"):
            for choice, (text, value) in choices.items():
                pressed = button(text, lambda value=value: self._input.set_value(value), "small")
                pressed.props(f'data-testid="{choice}-{name}" aria-label="{self._field.label}: {text}"')

    def set_value(self, value: Any) -> None:
        self._input.set_value(_shown(self._field, value))

    def show_error(self, text: str) -> None:
        self._error.set_content(join(text))
        self._input.classes(add="invalid" if text else "", remove="" if text else "invalid")
        self._input.props(f'aria-invalid="{"true" if text else "false"}"')

    def show_effect(self, text: str) -> None:
        if str(join(text)) != self._effect.content:
            self._effect.set_content(join(text))

    def mark(self, is_changed: bool, is_visible: bool) -> None:
        self._line.classes(add="changed" if is_changed else "", remove="" if is_changed else "changed")
        self._line.set_visibility(is_visible)


def _shown(field: SettingField, value: Any) -> Any:
    """Turn the result of `draft.format_value` into the type of value that the input element needs."""
    match field.kind:
        case "switch":
            return bool(value)
        case "choice" | "zone":
            return value
        case _:
            return value or ""


def _input(field: SettingField, value: Any, on_change: Callable[[Any], None]) -> Any:
    label, value = field.label.replace('"', ""), _shown(field, value)
    match field.kind:
        case "switch":
            return ui.switch(value=value, on_change=on_change).props(f'aria-label="{label}" dense')
        case "choice":
            element = ui.select(dict(STRATEGIES), value=value, on_change=on_change)
        case "zone":
            element = ui.select(sorted(available_timezones()), value=value, on_change=on_change, with_input=True)
        case "number":
            element = ui.input(value=value, on_change=on_change).props('inputmode="decimal"')
        case "time" | "moment":
            element = ui.input(value=value, on_change=on_change).props(
                f'type="{"time" if field.kind == "time" else "date"}"'
            )
        case "text" | "phone" | "windows" | "words" | "own_limit" | "country":
            element = ui.input(value=value, on_change=on_change)
    if field.unit:
        element.props(f'suffix="{field.unit}"')
    if field.empty:
        element.props(f'placeholder="{field.empty}"')
    return element.props(f'{STYLE} aria-label="{label}"').classes("w-full")
