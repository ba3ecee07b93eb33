"""Column choice: the column with the phone numbers of a list, shown with its first numbers as they would be dialled."""

from collections.abc import Callable, Sequence

from nicegui import ui
from nicegui.element import Element

from console.core.markup import tag
from console.ui.elements import html
from spreader.phone.number_column import ListLayout


def show_columns(box: Element, labels: Sequence[str], layout: ListLayout, on_choice: Callable[[int], None]) -> None:
    """Show the columns in `box`, with the guessed one chosen. Another choice calls `on_choice` with its index."""
    box.clear()
    with box:
        html(tag("span", "The column with the numbers", class_="field-label"))
        choice = ui.select(dict(enumerate(labels)), value=layout.column, on_change=lambda event: on_choice(event.value))
        choice.props('outlined dense aria-label="The column with the numbers" data-testid="column"')
        if not layout.is_sure:
            html(tag("p", "Several columns may be meant: check that this is the right one.", class_="small warn"))
