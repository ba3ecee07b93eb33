"""Shell: the frame around every page: who is signed in, where one can go, which colours."""

from collections.abc import Awaitable, Callable
from inspect import Signature, signature

from markupsafe import Markup
from nicegui import ui
from nicegui.element import Element

from console.core.markup import Child, tag, together
from console.pages import ROUTES
from console.theme import COLOURS_COOKIE, HEAD, LOGO, Colours, icon
from console.ui.auth import SIGN_OUT
from console.ui.elements import html
from console.ui.live_page import Screen
from console.ui.page_context import ALERTS, Desk

GENERAL = (("/", "Packages", "overview"), ("/alerts", "Alerts", "alerts"))
OF_PACKAGE = (
    ("", "Live", "live"), ("/queue", "Queue and pacing", "queue"), ("/compose", "Compose", "compose"),
    ("/messages", "Messages", "messages"), ("/conversations", "Conversations", "conversations"),
    ("/consent", "Consent", "consent"), ("/charts", "Charts", "charts"), ("/reports", "Reports", "reports"),
    ("/settings", "Settings", "settings"), ("/changes", "History", "history"),
)  # fmt: skip

Page = Callable[..., Awaitable[None]]

SCRIPT = Markup(  # noqa: S704 - of our own constants
    "<script>function spreaderColours(name) {"
    f"document.cookie = '{COLOURS_COOKIE}=' + name + ';path=/;max-age=31536000;samesite=strict';"
    "Quasar.Dark.set(name === 'auto' ? 'auto' : name === 'dark');"
    "document.querySelectorAll('.seg button').forEach(b => b.setAttribute('aria-pressed', b.dataset.name === name)); }"
    "function spreaderUpload(input, address) { const file = input.files[0]; if (!file) return;"
    "const said = input.closest('.drop').querySelector('.drop-said'), sending = new XMLHttpRequest();"
    "sending.upload.onprogress = e => { said.textContent = `Sending ${Math.round(100 * e.loaded / e.total)} %`; };"
    "sending.onload = () => { said.textContent = sending.status === 204 ? file.name : sending.responseText; };"
    "sending.onerror = () => { said.textContent = 'It broke off: choose the file again.'; };"
    "sending.open('POST', address + '?name=' + encodeURIComponent(file.name)); sending.send(file); input.value = ''; }"
    "</script>"
)


def build_shell(desk: Desk, colours: Colours) -> None:
    """The frame of one tab, with the page of its address in it."""
    ui.add_head_html(str(HEAD + SCRIPT))
    ui.dark_mode({"auto": None, "light": False, "dark": True}[colours])
    html(tag("a", "Go to the content", href="#main", class_="skip"))
    with Element("div").classes("frame"):
        nav = Nav(desk, colours)
        with Element("main").classes("main").props('id="main" tabindex="-1"'):
            ui.sub_pages({address: _opened(desk, nav, page) for address, page in ROUTES.items()}, show_404=True)


def _opened(desk: Desk, nav: "Nav", page: Page) -> Page:
    async def opened(**places: str) -> None:
        nav.at(places.get("package_id", ""), ui.context.client.sub_pages_router.current_path)
        with Element("div").classes("stack"):
            await page(Screen(desk), **places)

    places = [each for name, each in signature(page).parameters.items() if name != "screen"]
    opened.__signature__ = Signature(places)  # NiceGUI asks what a page takes
    return opened


class Nav:
    def __init__(self, desk: Desk, colours: Colours) -> None:
        self._desk = desk
        self._colours = colours
        self._package_id = ""
        self._path = "/"
        self._shown = html(self._paint(), "nav").classes("side").props('aria-label="Pages"')
        ui.timer(1.0, self._look)

    def at(self, package_id: str, path: str) -> None:
        self._package_id, self._path = package_id, path.split("?")[0].rstrip("/") or "/"
        self._look()

    def _look(self) -> None:
        if (painted := self._paint()) != self._shown.content:
            self._shown.set_content(painted)

    def _paint(self) -> Markup:
        brand = tag("a", LOGO, "Spreader", href="/", class_="brand")
        opens = "this.closest('.side').classList.toggle('open')"
        burger = tag("button", icon("menu"), class_="button button-bare burger", type="button", onclick=opens,
                     aria_label="Show the pages")  # fmt: skip
        return together(tag("div", brand, burger, class_="side-top"), self._links(), self._foot())

    def _links(self) -> Markup:
        alerts = self._desk.look(ALERTS)
        count = len(alerts.data) if alerts else 0
        pip = tag("span", str(count), class_="pip", aria_label=f"{count} open") if count else None
        general = [self._link(to, name, drawing, pip if to == "/alerts" else None) for to, name, drawing in GENERAL]
        if not self._package_id:
            return tag("div", *general, class_="nav")
        package = self._desk.package(self._package_id)
        name = tag("div", package.name if package else self._package_id, class_="nav-title")
        base = f"/packages/{self._package_id}"
        own = [self._link(base + to, words, drawing) for to, words, drawing in OF_PACKAGE]
        return tag("div", *general, name, *own, class_="nav")

    def _link(self, to: str, words: str, drawing: str, beside: Child = None) -> Markup:
        here = "page" if self._path == to else None
        return tag("a", icon(drawing), words, beside, href=to, aria_current=here)

    def _foot(self) -> Markup:
        who = self._desk.session.operator
        choices = [
            tag("button", name.title(), type="button", data_name=name, onclick=f"spreaderColours('{name}')",
                aria_pressed="true" if name == self._colours else "false")
            for name in ("auto", "light", "dark")
        ]  # fmt: skip
        leave = tag("button", icon("sign_out"), "Sign out", class_="button button-bare", type="submit")
        return tag(
            "div",
            tag("div", *choices, class_="seg", role="group", aria_label="Colours"),
            tag("span", f"Signed in as {who}") if who else None,
            tag("form", leave, method="post", action=SIGN_OUT),
            class_="side-foot",
        )
