"""Phones page: all phones of a package, or of all packages, to search, sort, filter, and act on many at once."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from markupsafe import Markup
from nicegui import ui
from nicegui.element import Element

from console.core import formats
from console.core.api_models import ApiProfileList, ApiProfileStates
from console.core.markup import join, tag
from console.core.phones.gateway_kinds import KINDS, gateway_name
from console.core.phones.phone_list import SORTS, STATUSES, Phone, PhonePage, PhoneView, list_phones, show_page
from console.data.polling_cache import Query
from console.pages.phones import bulk
from console.ui import components
from console.ui.elements import button, html, stack
from console.ui.live_page import LivePage
from console.ui.page_context import PACKAGES, PageContext

PROFILES_SECONDS = 5.0
STATES = Query("stats", "/profiles", ApiProfileStates, interval_seconds=5.0, all_pages=True)

Action = Callable[[PageContext, Sequence[Phone]], Awaitable[bool]]


async def show_all(page: LivePage) -> None:
    await PhonesPage(page, "").build()


async def show(page: LivePage, package_id: str) -> None:
    await PhonesPage(page, package_id).build()


class PhonesPage:
    """`package_id`: the package whose phones are shown. Empty: the phones of all packages."""

    def __init__(self, page: LivePage, package_id: str) -> None:
        self._page = page
        self._context = page.context
        self._package_id = package_id
        self._view = PhoneView(package_id=package_id)
        self._chosen: set[str] = set()
        self._rows: dict[str, tuple[ui.html, ui.checkbox]] = {}
        self._last: tuple[tuple[Phone, ...], PhoneView, PhonePage] | None = None
        self._is_showing = False
        """Whether the page itself sets the checkboxes now."""

    async def build(self) -> None:
        await self._context.cache.load(PACKAGES)
        await self._context.cache.load(STATES, *self._queries())
        with stack("page-head"):
            self._page.live_html(self._title)
            self._page.live_html(self._links, classes="line")
        self._page.stale_notices(
            lambda: self._context.page_data(PACKAGES, "packages"),
            lambda: self._context.page_data(STATES, "states of the phones"),
        )
        with stack("card"):
            self._build_filters()
            self._build_bulk()
            self._page.live_html(self._empty)
            self._box = Element("div").classes("rows")
            self._build_pager()
        self._page.on_update(self._update)

    def _queries(self) -> list[Query[ApiProfileList]]:
        packages = self._context.latest(PACKAGES)
        ids = [each.package_id for each in packages.data] if packages else []
        wanted = [self._package_id] if self._package_id else ids
        return [_phones_query(package_id) for package_id in wanted]

    def _phones(self) -> tuple[Phone, ...]:
        """All phones of the page, before the filters."""
        packages, states = self._context.latest(PACKAGES), self._context.latest(STATES)
        lists = [self._context.latest(query) for query in self._queries()]
        return self._context.cache.memo(("phones", self._package_id), _list, packages, states, *lists)

    def _shown(self) -> PhonePage:
        phones = self._phones()
        if self._last is None or self._last[0] is not phones or self._last[1] != self._view:
            self._last = phones, self._view, show_page(phones, self._view)
        return self._last[2]

    def _title(self) -> Markup:
        package = self._context.package(self._package_id) if self._package_id else None
        where = package.name if package else self._package_id or "all packages"
        words = f"{formats.plural(len(self._phones()), 'WhatsApp account')} of {where}."
        return tag("div", tag("h1", "Phones"), tag("p", words, class_="soft"))

    def _links(self) -> Markup:
        packages = self._context.latest(PACKAGES)
        only = packages.data[0].package_id if packages and len(packages.data) == 1 else ""
        package_id = self._package_id or self._view.package_id or only
        if not package_id:
            return tag("span", "Choose a package below to add phones.", class_="soft small")
        return join(
            components.link("Import phones", f"/packages/{package_id}/phones/import", "button", "file"),
            components.link("Add a phone", f"/packages/{package_id}/new-profile", "button button-main", "plus"),
        )

    def _build_filters(self) -> None:
        with stack("line"):
            text = ui.input(placeholder="Search a name or number").props(
                'outlined dense clearable debounce=300 aria-label="Search a name or number" data-testid="find-phone"'
            )
            text.on_value_change(lambda: self._filter(text=text.value or ""))
            self._select("Status", STATUSES, "status", "filter-status")
            gateways = {"": "Every gateway"} | {driver: gateway_name(driver) for driver in KINDS}
            self._select("Gateway", gateways, "driver", "filter-gateway")
            if not self._package_id:
                packages = self._context.latest(PACKAGES)
                named = {each.package_id: each.name for each in packages.data} if packages else {}
                self._select("Package", {"": "Every package", **named}, "package_id", "filter-package")
            self._select("Order", SORTS, "sort", "sort-phones")

    def _select(self, label: str, options: Any, name: str, testid: str) -> None:
        first = next(iter(options))
        choice = ui.select(dict(options), value=first, on_change=lambda event: self._filter(**{name: event.value}))
        choice.props(f'outlined dense options-dense aria-label="{label}" data-testid="{testid}"')

    def _build_bulk(self) -> None:
        with stack("line bulk"):
            self._all = ui.checkbox("All on this page", on_change=self._choose_page).props('dense data-testid="all"')
            self._count = html(join()).props('aria-live="polite" data-testid="chosen"')
            found = button("Choose all that were found", self._choose_found, "button-bare")
            self._found = found.props('data-testid="choose-found"')
            actions: tuple[tuple[str, Action, str], ...] = (
                ("Pause", bulk.pause, ""), ("Resume", bulk.resume, ""), ("Move …", bulk.move, ""),
                ("Remove …", bulk.remove, "button-danger"),
            )  # fmt: skip
            self._actions = [
                button(name, lambda act=act: self._act(act), kind).props(f'data-testid="bulk-{act.__name__}"')
                for name, act, kind in actions
            ]

    def _build_pager(self) -> None:
        with stack("line") as self._pager:
            self._back = button("Previous", lambda: self._turn(-1)).props('data-testid="previous"')
            self._number = html(join()).classes("soft small")
            self._more = button("Next", lambda: self._turn(1)).props('data-testid="more"')

    def _empty(self) -> Markup:
        if self._shown().found:
            return join()
        if self._phones():
            return components.empty("phone", "No such phone", tag("p", "No phone fits the search and the filters."))
        return components.empty("phone", "No phones yet", tag("p", "Add a phone, or import many from a file."))

    def _filter(self, **changes: str) -> None:
        self._view = self._view.changed(**changes)
        self._page.update()

    def _turn(self, by: int) -> None:
        self._view = replace(self._view, page=max(0, self._shown().page + by))
        self._page.update()

    def _choose_page(self) -> None:
        if self._is_showing:
            return
        shown = {phone.profile_id for phone in self._shown().phones}
        self._chosen = self._chosen | shown if self._all.value else self._chosen - shown
        self._page.update()

    def _choose_found(self) -> None:
        self._chosen |= set(self._shown().found)
        self._page.update()

    def _choose(self, profile_id: str, is_chosen: bool) -> None:
        if self._is_showing:
            return
        self._chosen = self._chosen | {profile_id} if is_chosen else self._chosen - {profile_id}
        self._show_chosen(self._shown())

    async def _act(self, act: Action) -> None:
        phones = [phone for phone in self._phones() if phone.profile_id in self._chosen]
        if phones and await act(self._context, phones):
            for query in self._queries():
                self._context.cache.refresh(query)
            self._chosen = set()
            self._page.update()

    def _update(self) -> None:
        page = self._shown()
        known = {phone.profile_id for phone in self._phones()}
        self._chosen &= known
        if [*self._rows] != [phone.profile_id for phone in page.phones]:
            self._box.clear()
            with self._box:
                self._rows = {phone.profile_id: self._build_row(phone) for phone in page.phones}
        for phone in page.phones:
            element, _ = self._rows[phone.profile_id]
            if (rendered := _row(phone, not self._package_id)) != element.content:
                element.set_content(rendered)
        self._show_chosen(page)

    def _build_row(self, phone: Phone) -> tuple[ui.html, ui.checkbox]:
        with Element("div").classes("phone-row").props(f'data-testid="phone-{phone.profile_id}"'):
            label = f"Choose {phone.name}".replace('"', "'")
            box = ui.checkbox(
                value=phone.profile_id in self._chosen,
                on_change=lambda event, name=phone.profile_id: self._choose(name, bool(event.value)),
            ).props(f'dense data-testid="choose-{phone.profile_id}"')
            box.props["aria-label"] = label
            return html(_row(phone, not self._package_id)), box

    def _show_chosen(self, page: PhonePage) -> None:
        shown = {phone.profile_id for phone in page.phones}
        self._is_showing = True
        for profile_id, (_, box) in self._rows.items():
            box.set_value(profile_id in self._chosen)
        self._all.set_value(bool(shown) and shown <= self._chosen)
        self._is_showing = False
        count = len(self._chosen)
        self._count.set_content(join(tag("b", f"{formats.plural(count, 'phone')} chosen") if count else ""))
        for action in self._actions:
            action.set_enabled(bool(count))
        self._found.set_text(f"Choose all {formats.count(len(page.found))} that were found")
        self._found.set_visibility(bool(count) and len(page.found) > len(page.phones))
        self._pager.set_visibility(page.pages > 1)
        self._number.set_content(
            join(f"Page {page.page + 1} of {page.pages}, {formats.plural(len(page.found), 'phone')}")
        )
        self._back.set_enabled(page.page > 0)
        self._more.set_enabled(page.page + 1 < page.pages)


def _phones_query(package_id: str) -> Query[ApiProfileList]:
    return Query("ingress", f"/packages/{package_id}/profiles", ApiProfileList, PROFILES_SECONDS, all_pages=True)


def _list(packages: Any, states: ApiProfileStates | None, *lists: ApiProfileList | None) -> tuple[Phone, ...]:
    profiles = {rows.data[0].package_id: rows.data for rows in lists if rows is not None and rows.data}
    by_profile = {state.profile_id: state for state in states.data} if states else {}
    return list_phones(packages.data if packages else (), profiles, by_profile)


def _row(phone: Phone, has_package: bool) -> Markup:
    address = f"/packages/{phone.package_id}/profiles/{phone.profile_id}"
    name = tag("a", phone.name, href=address, class_="name", dir="auto")
    who = tag("div", name, tag("span", formats.phone(phone.number), class_="sub num"), class_="stacked")
    package = tag("span", phone.package_name, class_="soft", dir="auto") if has_package else None
    health = tag("span", f"Health {phone.score}" if phone.score is not None else formats.DASH, class_="soft num small")
    return tag(
        "div", who, tag("span", phone.gateway), package, components.status_badge(phone.status), health, class_="phone"
    )
