"""Confirmation: a dialog that asks before something that cannot be undone, or that concerns many people or phones."""

from markupsafe import Markup
from nicegui import ui

from console.core.markup import tag
from console.ui.elements import button, html, stack


async def confirm(title: str, words: Markup | str, action: str, *, is_danger: bool = True) -> bool:
    """Ask the operator. Returns True only if the operator presses the button `action`.

    The other button has the focus at first. So Enter confirms nothing. The dialog is not inside the list that its
    button is in, because a list that is built again would close the dialog.
    """
    with (
        ui.context.client.layout,
        ui.dialog() as dialog,
        ui.card().classes("confirm").props('role="alertdialog" data-testid="confirm-dialog"'),
    ):
        html(tag("h2", title))
        html(words if isinstance(words, Markup) else tag("p", words, class_="soft"))
        with stack("line confirm-buttons"):
            keep = button("Go back", lambda: dialog.submit(False))
            keep.props('autofocus data-testid="confirm-back"')
            kind = "button-danger" if is_danger else "button-main"
            button(action, lambda: dialog.submit(True), kind).props('data-testid="confirm"')
    answer = await dialog
    dialog.delete()
    return bool(answer)
