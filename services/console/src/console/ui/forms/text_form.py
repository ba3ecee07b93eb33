"""Text form: text fields by name. The name of a field is the JSON pointer of its value in the request body."""

from collections.abc import Callable, Mapping

from nicegui import ui

from console.core.markup import join
from console.ui import components
from console.ui.elements import html


class TextForm:
    def __init__(self) -> None:
        self._fields: dict[str, ui.input] = {}
        self._chosen: dict[str, str] = {}

    def text(
        self, name: str, label: str, *, value: str = "", example: str = "", words: str = "", is_secret: bool = False
    ) -> ui.input:
        """`example`: a text that shows how the value looks. `words`: what the field means."""
        field = ui.input(label, value=value, password=is_secret).style("width:100%;max-width:34rem")
        field.props(f'outlined dense bottom-slots data-testid="new-{name[1:].replace("/", "-")}"')
        field.props["placeholder"], field.props["hint"] = example, words
        if is_secret:
            field.props('autocomplete="new-password"')
        field.on_value_change(lambda: setattr(field, "error", None))
        self._fields[name] = field
        return field

    def put(self, name: str, value: str) -> None:
        """Set a value that has no text field, such as a choice."""
        self._chosen[name] = value

    def forget(self, prefix: str) -> None:
        """Leave out the fields whose names begin with `prefix`. Their elements were removed from the page."""
        self._fields = {name: field for name, field in self._fields.items() if not name.startswith(prefix)}

    @property
    def typed(self) -> dict[str, str]:
        return {**self._chosen, **{name: (field.value or "").strip() for name, field in self._fields.items()}}

    def build_errors(self) -> None:
        """Add the place for the errors that belong to no field."""
        self._others = html(join()).props('aria-live="polite"')

    def show_errors(self, errors: Mapping[str, str], otherwise: str = "") -> None:
        """Show each error at its field, and those of no field below the form. `otherwise`: what to show if there are no
        errors of fields."""
        for name, field in self._fields.items():
            field.error = errors.get(name)
        others = [words for name, words in errors.items() if name not in self._fields]
        shown = others if errors else [otherwise] if otherwise else []
        self._others.set_content(join(*(components.notice(words, "bad", "form-error") for words in shown)))
        first = next((field for name, field in self._fields.items() if name in errors), None)
        if first is not None:
            first.run_method("focus")

    def on_enter(self, submit: Callable[[], object]) -> None:
        for field in self._fields.values():
            field.on("keydown.enter", submit)
