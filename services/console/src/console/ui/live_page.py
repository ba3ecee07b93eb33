"""Screen: one page in one tab. Its pieces follow what services say; a browser is sent only those that changed."""

from collections.abc import Callable, Mapping

from markupsafe import Markup
from nicegui import ui
from nicegui.element import Element

from console.core.markup import together
from console.core.stale_notice import Part
from console.ui import components
from console.ui.elements import html
from console.ui.page_context import Desk

LOOK_SECONDS = 0.5

Paint = Callable[[], Markup]


class Screen:
    """Made while its page is built: it lives as long as the page does."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._looks: list[Callable[[], None]] = []
        self._timer = ui.timer(LOOK_SECONDS, self.look)

    def look(self) -> None:
        if not self.desk.is_signed_in:
            self._timer.deactivate()
            ui.navigate.to("/sign-in")
            return
        for each in self._looks:
            each()

    def follow(self, look: Callable[[], None]) -> None:
        """Call `look` now and again and again."""
        look()
        self._looks.append(look)

    def piece(self, paint: Paint, testid: str | None = None, tag: str = "div", classes: str = "") -> ui.html:
        """Markup that is painted anew whenever it would look different."""
        shown = html(paint(), tag).classes(classes)
        if testid:
            shown.props(f'data-testid="{testid}"')

        def look() -> None:
            if (painted := paint()) is not last[0] and painted != last[0]:
                last[0] = painted
                shown.set_content(painted)

        last = [Markup(shown.content)]  # noqa: S704 - it was markup when it went in
        self._looks.append(look)
        return shown

    def rows(self, paint: Callable[[], Mapping[str, Markup]], classes: str = "rows") -> Element:
        """Lines by key: only those that differ are sent; all are built anew when other keys are there."""
        box = Element("div").classes(classes)
        shown: dict[str, tuple[ui.html, Markup]] = {}
        last: list[Mapping[str, Markup]] = [{}]

        def look() -> None:
            painted = paint()
            if painted is last[0]:
                return
            last[0] = painted
            if list(painted) != list(shown):
                shown.clear()
                box.clear()
                with box:
                    shown.update({key: (html(line), line) for key, line in painted.items()})
                return
            for key, line in painted.items():
                place, before = shown[key]
                if line != before:
                    place.set_content(line)
                    shown[key] = place, line

        self.follow(look)
        return box

    def notices(self, *asked: Callable[[], Part]) -> None:
        """What is old or missing on this page, and why."""

        def paint() -> Markup:
            said = self.desk.notices(*(part() for part in asked))
            return together(*(components.notice(each) for each in said))

        self.piece(paint).props('role="status" aria-live="polite"')

    def dim(self, element: Element, is_old: Callable[[], bool]) -> None:
        """Show that what stands there is old."""

        def look() -> None:
            old = is_old()
            element.classes(add="old" if old else "", remove="" if old else "old")

        self.follow(look)
