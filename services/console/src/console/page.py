"""Page: the board in a browser tab. Each second it takes the newest board and changes only what differs."""

from collections.abc import Callable, Mapping
from html import escape
from importlib.resources import files

from nicegui import ui
from nicegui.element import Element

from console.core.board import NEARLY_FULL, Bar, Board, Row, Section, Status

LOOK_SECONDS = 1.0
COLOURS: Mapping[str, bool | None] = {"Auto": None, "Light": False, "Dark": True}


def board_page(newest: Callable[[], Board], api_url: str) -> None:
    """Build the page of one tab. `newest` costs nothing: the poller has asked already, for all tabs."""
    ui.add_css(files("console").joinpath("board.css").read_text())
    ui.page_title("Spreader")
    view = BoardView(api_url)
    view.show(newest())
    ui.timer(LOOK_SECONDS, lambda: view.show(newest()))


class BoardView:
    def __init__(self, api_url: str) -> None:
        self._api_url = api_url
        self._shown: Board | None = None
        self._rows: dict[tuple[str, str], RowView] = {}
        _top()
        self._notices = _div("notices").props('role="status" aria-live="polite"')
        self._sections = _div("sections").classes("column q-gutter-y-md")

    def show(self, board: Board) -> None:
        if board == self._shown:
            return
        if self._shown is None or board.notices != self._shown.notices:
            self._show_notices(board)
        if self._shown is None or _skeleton(board) != _skeleton(self._shown):
            self._build(board)
        for section in board.sections:
            for row in section.rows:
                self._rows[section.package_id, row.profile_id].show(row)
        self._sections.classes(
            add="old" if board.figures_are_old else "", remove="" if board.figures_are_old else "old"
        )
        self._shown = board

    def _show_notices(self, board: Board) -> None:
        self._notices.clear()
        with self._notices:
            for notice in board.notices:
                _text(notice, "notice").props('data-testid="notice"')

    def _build(self, board: Board) -> None:
        self._sections.clear()
        self._rows.clear()
        with self._sections:
            if board.is_empty:
                self._say_what_to_do()
            for section in board.sections:
                self._build_section(section)

    def _build_section(self, section: Section) -> None:
        with _div("package").props(f'data-testid="package-{section.package_id}"'):
            _heading("h2", section.name)
            _text(section.about, "about")
            if not section.rows:
                _text(f"No profiles yet: POST {self._api_url}/api/v1/packages/{section.package_id}/profiles", "figures")
            for row in section.rows:
                self._rows[section.package_id, row.profile_id] = RowView(row)

    def _say_what_to_do(self) -> None:
        with _div("empty").props('data-testid="empty"'):
            _heading("h2", "No packages yet")
            ui.label(
                "A package is a group of WhatsApp profiles that share settings. Make the first one, then add profiles:"
            )
            body = '{"name": "Shop", "timezone": "Africa/Cairo"}'
            ui.html(
                f"<pre>curl -X POST {escape(self._api_url)}/api/v1/packages \\\n"
                f'  -H "Authorization: Bearer $SPREADER_API_KEY" -H "Content-Type: application/json" \\\n'
                f"  -d '{escape(body)}'</pre>",
                sanitize=False,
            )
            ui.label("Or run `make demo` to watch a package with simulated customers.")


class RowView:
    """A profile's line: who, a bar for each limit, the status."""

    def __init__(self, row: Row) -> None:
        self._shown: Row | None = None
        with _div("profile").props(f'data-testid="profile-{row.profile_id}"'):
            with _div("who"):
                self._name = _text("", "name")
                self._figures = _text("", "figures")
            self._bars = [BarView() for _ in row.bars]
            self._status = _text("", "status")

    def show(self, row: Row) -> None:
        if row == self._shown:
            return
        self._name.set_text(row.name)
        self._figures.set_text(row.figures)
        for view, bar in zip(self._bars, row.bars, strict=True):
            view.show(bar)
        self._show_status(row.status)
        self._shown = row

    def _show_status(self, status: Status) -> None:
        self._status.set_text(status.text)
        self._status.classes(replace=f"status tone-{status.tone}")
        self._status.props["title"] = status.why


class BarView:
    def __init__(self) -> None:
        with _div("limit"):
            self._text = _text("", "bar-text")
            self._track = _div("track").props('role="progressbar" aria-valuemin="0"')
            with self._track:
                self._fill = _div("fill")

    def show(self, bar: Bar) -> None:
        self._text.set_text(bar.text)
        self._track.props["aria-label"] = bar.text
        self._track.props["aria-valuenow"] = bar.used or 0
        self._track.props["aria-valuemax"] = bar.limit
        tone = "full" if bar.is_full else "high" if bar.share >= NEARLY_FULL else ""
        self._fill.classes(replace=f"fill {tone}")
        self._fill.style(replace=f"width: {bar.share:.1%}")


def _skeleton(board: Board) -> object:
    """What is built anew when it changes: headings and lines, not their figures."""
    return board.shape, board.is_empty, [(each.name, each.about) for each in board.sections]


def _top() -> None:
    dark = ui.dark_mode(None)
    with _div("top"):
        _heading("h1", "Spreader")
        choice = ui.toggle(list(COLOURS), value="Auto").props('dense flat no-caps aria-label="Colours"')
        choice.on_value_change(lambda change: dark.set_value(COLOURS[change.value]))


def _div(name: str) -> Element:
    return Element("div").classes(name)


def _text(text: str, name: str) -> ui.label:
    return ui.label(text).classes(name)


def _heading(tag: str, text: str) -> None:
    with Element(tag):
        ui.label(text)
