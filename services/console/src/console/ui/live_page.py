"""Live page: one page in one browser tab. When the polled data changes, only the changed parts go to the browser."""

from collections.abc import Callable, Mapping

from markupsafe import Markup
from nicegui import Client, ui
from nicegui.element import Element

from console.core.markup import join
from console.core.stale_notice import PageData
from console.ui import components
from console.ui.elements import html
from console.ui.page_context import PageContext

UPDATE_SECONDS = 0.5

Render = Callable[[], Markup]


def open_pages() -> int:
    """How many pages are open in browsers. A page that is still loading or was closed does not count."""
    return sum(client.has_socket_connection for client in Client.instances.values())


class LivePage:
    """Keeps one page up to date. Create this object while the page is being built. Otherwise its timer would not stop
    when the page closes."""

    def __init__(self, context: PageContext, name: str = "") -> None:
        self.context = context
        self.name = name
        """The name of the page, for its heading."""
        self._callbacks: list[Callable[[], None]] = []
        self._timer = ui.timer(UPDATE_SECONDS, self.update)

    def update(self) -> None:
        if not self.context.is_signed_in:
            self._timer.deactivate()
            ui.navigate.to("/sign-in")
            return
        for callback in self._callbacks:
            callback()

    def on_update(self, callback: Callable[[], None]) -> None:
        """Call `callback` now and at every update."""
        callback()
        self._callbacks.append(callback)

    def live_html(self, render: Render, testid: str | None = None, tag: str = "div", classes: str = "") -> ui.html:
        """Add an element that shows the markup of `render`. Every update calls `render` again, and sends the markup to
        the browser if it has changed."""
        element = html(render(), tag).classes(classes)
        if testid:
            element.props(f'data-testid="{testid}"')

        def update() -> None:
            if (rendered := render()) is not last[0] and rendered != last[0]:
                last[0] = rendered
                element.set_content(rendered)

        last = [Markup(element.content)]  # noqa: S704 - the element was created from markup
        self._callbacks.append(update)
        return element

    def live_rows(self, render: Callable[[], Mapping[str, Markup]], classes: str = "rows") -> Element:
        """Add rows to the page. `render` returns each row by its key.

        At an update only the changed rows are sent to the browser. If the keys have changed, all rows are sent.
        """
        box = Element("div").classes(classes)
        rows: dict[str, tuple[ui.html, Markup]] = {}
        last: list[Mapping[str, Markup]] = [{}]

        def update() -> None:
            rendered = render()
            if rendered is last[0]:
                return
            last[0] = rendered
            if list(rendered) != list(rows):
                rows.clear()
                box.clear()
                with box:
                    rows.update({key: (html(row), row) for key, row in rendered.items()})
                return
            for key, row in rendered.items():
                element, before = rows[key]
                if row != before:
                    element.set_content(row)
                    rows[key] = element, row

        self.on_update(update)
        return box

    def stale_notices(self, *data: Callable[[], PageData]) -> None:
        """Show a notice for each kind of data that is old or missing."""

        def render() -> Markup:
            sentences = self.context.notices(*(item() for item in data))
            return join(*(components.notice(sentence) for sentence in sentences))

        self.live_html(render).props('role="status" aria-live="polite"')

    def fade_when_old(self, element: Element, is_old: Callable[[], bool]) -> None:
        def update() -> None:
            old = is_old()
            element.classes(add="old" if old else "", remove="" if old else "old")

        self.on_update(update)
