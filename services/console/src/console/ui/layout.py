"""Layout: the frame around every page. It contains the links to the other pages and the choice of colours."""

from collections.abc import Awaitable, Callable, Mapping
from inspect import Signature, signature

from markupsafe import Markup
from nicegui import ui
from nicegui.element import Element

from console.core.markup import Child, join, tag
from console.core.words.alert_groups import title, unacknowledged
from console.core.words.places import GENERAL_LINKS, PACKAGE_LINKS, place_name, tab_title
from console.data.api import CallRefused
from console.theme import COLOURS_COOKIE, HEAD, LOGO, Colours, icon
from console.ui import components
from console.ui.auth import SIGN_OUT
from console.ui.elements import html
from console.ui.live_page import LivePage
from console.ui.page_context import ALERTS, PACKAGES, PageContext

ShowPage = Callable[..., Awaitable[None]]
"""A function that builds a page. The function has the parameter `page`, and one parameter for each placeholder in the
page's path."""

SCRIPT = Markup(  # noqa: S704 - of our own constants
    "<script>function spreaderColours(name) {"
    f"document.cookie = '{COLOURS_COOKIE}=' + name + ';path=/;max-age=31536000;samesite=strict';"
    "Quasar.Dark.set(name === 'auto' ? 'auto' : name === 'dark');"
    "document.querySelectorAll('.seg button').forEach(b => b.setAttribute('aria-pressed', b.dataset.name === name)); }"
    "function spreaderCopy(button) { const text = button.dataset.text, done = () => { button.textContent = 'Copied'; "
    "setTimeout(() => { button.textContent = 'Copy'; }, 2000); };"
    "if (navigator.clipboard) { navigator.clipboard.writeText(text).then(done); return; }"  # not over plain http
    "const field = document.createElement('textarea'); field.value = text; button.after(field); field.select();"
    "document.execCommand('copy'); field.remove(); done(); }"
    "function spreaderUpload(input, address) { const file = input.files[0]; if (!file) return;"
    "const said = input.closest('.drop').querySelector('.drop-said'), sending = new XMLHttpRequest();"
    "sending.upload.onprogress = e => { said.textContent = `Sending ${Math.round(100 * e.loaded / e.total)} %`; };"
    "sending.onload = () => { said.textContent = sending.status === 204 ? file.name : sending.responseText; };"
    "sending.onerror = () => { said.textContent = 'It broke off: choose the file again.'; };"
    "sending.open('POST', address + '?name=' + encodeURIComponent(file.name)); sending.send(file); input.value = ''; }"
    "const spreaderDirty = () => document.querySelector('[data-dirty=\"true\"]') !== null;"
    "const spreaderLeave = () => !spreaderDirty() || confirm('Leave without saving your changes?');"
    "addEventListener('beforeunload', e => { if (spreaderDirty()) { e.preventDefault(); e.returnValue = ''; } });"
    "addEventListener('click', e => { const link = e.target.closest && e.target.closest('a[href]');"
    "if (link && link.target !== '_blank' && !link.getAttribute('href').startsWith('#') && !spreaderLeave()) {"
    "e.preventDefault(); e.stopImmediatePropagation(); } }, true);"
    "let spreaderPlace = location.href; setInterval(() => { spreaderPlace = location.href; }, 300);"
    "addEventListener('popstate', e => { if (spreaderLeave()) return;"
    "e.stopImmediatePropagation(); history.pushState(history.state, '', spreaderPlace); }, true);"
    "const spreaderOn = name => localStorage.getItem('spreader_' + name) === 'on';"
    "function spreaderToggle(name) { const on = !spreaderOn(name);"
    "localStorage.setItem('spreader_' + name, on ? 'on' : 'off');"
    "if (on && name === 'desktop' && window.Notification) Notification.requestPermission();"
    "if (on && name === 'sound') spreaderBeep(); spreaderShowToggles(); }"
    "function spreaderShowToggles() { document.querySelectorAll('[data-toggle]').forEach(button =>"
    "button.setAttribute('aria-pressed', spreaderOn(button.dataset.toggle))); }"
    "function spreaderBeep() { const audio = new AudioContext(), tone = audio.createOscillator();"
    "const volume = audio.createGain(); volume.gain.value = 0.08; tone.connect(volume).connect(audio.destination);"
    "tone.frequency.value = 880; tone.start(); tone.stop(audio.currentTime + 0.25); }"
    "let spreaderNewest = null; setInterval(() => { spreaderShowToggles();"
    "const found = document.querySelector('[data-newest]'); if (!found) return; const newest = found.dataset.newest;"
    "if (spreaderNewest !== null && newest > spreaderNewest) {"
    "if (spreaderOn('sound')) spreaderBeep(); if (spreaderOn('desktop') && window.Notification)"
    "new Notification('Spreader', { body: found.dataset.text, tag: newest }); }"
    "if (spreaderNewest === null || newest > spreaderNewest) spreaderNewest = newest; }, 1000);"
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
        with Element("div").classes("main").props('id="main" tabindex="-1"'):  # inside the <main> of NiceGUI
            Pages({path: _with_page(context, navigation, show) for path, show in routes.items()})


def _with_page(context: PageContext, navigation: "Navigation", show: ShowPage) -> ShowPage:
    async def build(**placeholders: str) -> None:
        path = ui.context.client.sub_pages_router.current_path
        package_id = placeholders.get("package_id", "")
        navigation.show_place(package_id, path)
        with Element("div").classes("stack"):
            if package_id and await _is_missing(context, package_id):
                navigation.show_place("", path)
                html(components.not_found(f'Package "{package_id}" not found', "It may have been deleted."))
            else:
                await show(LivePage(context, navigation.place), **placeholders)

    parameters = [parameter for name, parameter in signature(show).parameters.items() if name != "page"]
    build.__signature__ = Signature(parameters)  # NiceGUI reads the signature to know which placeholders to pass
    return build


async def _is_missing(context: PageContext, package_id: str) -> bool:
    """Whether the ingress says that there is no such package. While it gives no answer, the package may exist."""
    await context.cache.load(PACKAGES)
    if context.package(package_id) is not None:
        return False
    result = await context.api.get("ingress", f"/packages/{package_id}")
    return isinstance(result, CallRefused) and result.status == 404


class Pages(ui.sub_pages):
    """The pages, and what a person sees at an address without a page."""

    def _render_404(self) -> None:
        ui.page_title(tab_title("", "", 0))
        html(components.not_found("Page not found", "The address has no page."))


class Navigation:
    """The links to the pages. The link to the alerts, and the menu on a phone, show how many alerts are not
    acknowledged. So does the title of the browser tab."""

    def __init__(self, context: PageContext, colours: Colours) -> None:
        self._context = context
        self._colours = colours
        self._package_id = ""
        self._path = "/"
        self._title = ""
        self._element = html(self._render(), "nav").classes("side").props('aria-label="Pages"')
        ui.timer(1.0, self._update)

    def show_place(self, package_id: str, path: str) -> None:
        self._package_id, self._path = package_id, path.split("?")[0].rstrip("/") or "/"
        self._update()

    @property
    def place(self) -> str:
        """The name of the page that is open."""
        return place_name(self._path)

    @property
    def _alerts(self) -> int:
        """The number of alerts that are not acknowledged."""
        alerts = self._context.latest(ALERTS)
        return unacknowledged(alerts.data) if alerts else 0

    def _update(self) -> None:
        package = self._context.package_name(self._package_id) if self._package_id else ""
        if (of_tab := tab_title(self._path, package, self._alerts)) != self._title:
            self._title = of_tab
            ui.page_title(of_tab)
        if (rendered := self._render()) != self._element.content:
            self._element.set_content(rendered)

    def _render(self) -> Markup:
        brand = tag("a", LOGO, "Spreader", href="/", class_="brand")
        opens = "this.closest('.side').classList.toggle('open')"
        burger = tag(
            "button",
            icon("menu"),
            self._pip(),
            class_="button button-bare burger",
            type="button",
            onclick=opens,
            aria_label=f"Show the pages, {self._alerts} alerts" if self._alerts else "Show the pages",
        )
        return join(tag("div", brand, burger, class_="side-top"), self._newest_alert(), self._links(), self._foot())

    def _newest_alert(self) -> Markup | None:
        """The newest alert that are not acknowledged, for the browser's notification. None before the first
        answer. An id begins with its time, so the newest alert has the highest id."""
        if (alerts := self._context.latest(ALERTS)) is None:
            return None
        newest = max(
            (each for each in alerts.data if each.state == "raised"), key=lambda each: each.alert_id, default=None
        )
        if newest is None:
            return tag("span", class_="sr", aria_hidden="true", data_newest="")
        phone = self._context.all_profile_names(newest.package_id).get(newest.profile_id, newest.profile_id)
        text = title(newest, phone, self._context.package_name(newest.package_id))
        return tag("span", class_="sr", aria_hidden="true", data_newest=newest.alert_id, data_text=text)

    def _links(self) -> Markup:
        general = [
            self._link(to, name, icon_name, self._pip() if to == "/alerts" else None)
            for to, name, icon_name in GENERAL_LINKS
        ]
        if not self._package_id:
            return tag("div", *general, class_="nav")
        package = self._context.package(self._package_id)
        name = tag("div", package.name if package else self._package_id, class_="nav-title")
        base = f"/packages/{self._package_id}"
        own = [self._link(base + to, text, icon_name) for to, text, icon_name in PACKAGE_LINKS]
        return tag("div", *general, name, *own, class_="nav")

    def _pip(self) -> Markup | None:
        count = self._alerts
        return tag("span", str(count), class_="pip", title="alerts that are not acknowledged") if count else None

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
        signals = [
            tag(
                "button", name, type="button", data_toggle=key, onclick=f"spreaderToggle('{key}')", aria_pressed="false"
            )
            for key, name in (("desktop", "Desktop"), ("sound", "Sound"))
        ]
        leave = tag("button", icon("sign_out"), "Sign out", class_="button button-bare", type="submit")
        return tag(
            "div",
            tag("div", *choices, class_="seg", role="group", aria_label="Colours"),
            tag("span", "New alerts"),
            tag("div", *signals, class_="seg", role="group", aria_label="Signal new alerts"),
            tag("span", f"Signed in as {operator}") if operator else None,
            tag("form", leave, method="post", action=SIGN_OUT),
            class_="side-foot",
        )
