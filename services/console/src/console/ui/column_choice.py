"""Column choice: the field in which an operator chooses the column of a list that has the phone numbers."""

from collections.abc import Callable, Sequence

from nicegui import ui
from nicegui.element import Element

from console.core.markup import tag
from console.ui.elements import html
from spreader.phone.number_column import ListLayout


def show_columns(box: Element, labels: Sequence[str], layout: ListLayout, on_choice: Callable[[int], None]) -> None:
    """Show the columns in `box`. At first, the column that `layout` guesses is chosen. If the operator chooses another
    column, `on_choice` gets the index of that column."""
    box.clear()
    with box:
        html(tag("span", "The column with the numbers", class_="field-label"))
        choice = ui.select(dict(enumerate(labels)), value=layout.column, on_change=lambda event: on_choice(event.value))
        choice.props('outlined dense aria-label="The column with the numbers" data-testid="column"')
        if not layout.is_sure:
            html(tag("p", "Several columns may be meant: check that this is the right one.", class_="small warn"))
