"""Layout: the frame around every page. It contains the links to the other pages and the choice of colours."""

from collections.abc import Awaitable, Callable, Mapping
from inspect import Signature, signature

from markupsafe import Markup
from nicegui import ui
from nicegui.element import Element

from console.core.markup import Child, join, tag
from console.theme import COLOURS_COOKIE, HEAD, LOGO, Colours, icon
from console.ui.auth import SIGN_OUT
from console.ui.elements import html
from console.ui.live_page import LivePage
from console.ui.page_context import ALERTS, PageContext

GENERAL_LINKS = (("/", "Packages", "overview"), ("/alerts", "Alerts", "alerts"), ("/people", "People", "search"))
PACKAGE_LINKS = (
    ("", "Live", "live"), ("/queue", "Queue and pacing", "queue"), ("/compose", "Compose", "compose"),
    ("/messages", "Messages", "messages"), ("/conversations", "Conversations", "conversations"),
    ("/consent", "Consent", "consent"), ("/charts", "Charts", "charts"), ("/reports", "Reports", "reports"),
    ("/settings", "Settings", "settings"), ("/changes", "History", "history"),
)  # fmt: skip

ShowPage = Callable[..., Awaitable[None]]
"""A function that builds a page. The function has the parameter `page`, and one parameter for each placeholder in the
page's path."""

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


def build_layout(context: PageContext, colours: Colours, routes: Mapping[str, ShowPage]) -> None:
    """Build the frame in one browser tab. Inside the frame, NiceGUI shows the page of `routes` that matches the
    address."""
    ui.add_head_html(str(HEAD + SCRIPT))
    ui.dark_mode({"auto": None, "light": False, "dark": True}[colours])
    html(tag("a", "Go to the content", href="#main", class_="skip"))
    with Element("div").classes("frame"):
        navigation = Navigation(context, colours)
        with Element("main").classes("main").props('id="main" tabindex="-1"'):
            ui.sub_pages({path: _with_page(context, navigation, show) for path, show in routes.items()}, show_404=True)


def _with_page(context: PageContext, navigation: "Navigation", show: ShowPage) -> ShowPage:
    async def build(**placeholders: str) -> None:
        path = ui.context.client.sub_pages_router.current_path
        navigation.show_place(placeholders.get("package_id", ""), path)
        with Element("div").classes("stack"):
            await show(LivePage(context), **placeholders)

    parameters = [parameter for name, parameter in signature(show).parameters.items() if name != "page"]
    build.__signature__ = Signature(parameters)  # NiceGUI reads the signature to know which placeholders to pass
    return build


class Navigation:
    """The links to the pages. The link to the alerts shows how many alerts are open."""

    def __init__(self, context: PageContext, colours: Colours) -> None:
        self._context = context
        self._colours = colours
        self._package_id = ""
        self._path = "/"
        self._element = html(self._render(), "nav").classes("side").props('aria-label="Pages"')
        ui.timer(1.0, self._update)

    def show_place(self, package_id: str, path: str) -> None:
        self._package_id, self._path = package_id, path.split("?")[0].rstrip("/") or "/"
        self._update()

    def _update(self) -> None:
        if (rendered := self._render()) != self._element.content:
            self._element.set_content(rendered)

    def _render(self) -> Markup:
        brand = tag("a", LOGO, "Spreader", href="/", class_="brand")
        opens = "this.closest('.side').classList.toggle('open')"
        burger = tag(
            "button",
            icon("menu"),
            class_="button button-bare burger",
            type="button",
            onclick=opens,
            aria_label="Show the pages",
        )
        return join(tag("div", brand, burger, class_="side-top"), self._links(), self._foot())

    def _links(self) -> Markup:
        alerts = self._context.latest(ALERTS)
        count = len(alerts.data) if alerts else 0
        pip = tag("span", str(count), class_="pip", aria_label=f"{count} open") if count else None
        general = [
            self._link(to, name, icon_name, pip if to == "/alerts" else None) for to, name, icon_name in GENERAL_LINKS
        ]
        if not self._package_id:
            return tag("div", *general, class_="nav")
        package = self._context.package(self._package_id)
        name = tag("div", package.name if package else self._package_id, class_="nav-title")
        base = f"/packages/{self._package_id}"
        own = [self._link(base + to, text, icon_name) for to, text, icon_name in PACKAGE_LINKS]
        return tag("div", *general, name, *own, class_="nav")

    def _link(self, to: str, text: str, icon_name: str, beside: Child = None) -> Markup:
        current = "page" if self._path == to else None
        return tag("a", icon(icon_name), text, beside, href=to, aria_current=current)

    def _foot(self) -> Markup:
        operator = self._context.session.operator
        choices = [
            tag(
                "button",
                name.title(),
                type="button",
                data_name=name,
                onclick=f"spreaderColours('{name}')",
                aria_pressed="true" if name == self._colours else "false",
            )
            for name in ("auto", "light", "dark")
        ]
        leave = tag("button", icon("sign_out"), "Sign out", class_="button button-bare", type="submit")
        return tag(
            "div",
            tag("div", *choices, class_="seg", role="group", aria_label="Colours"),
            tag("span", f"Signed in as {operator}") if operator else None,
            tag("form", leave, method="post", action=SIGN_OUT),
            class_="side-foot",
        )
