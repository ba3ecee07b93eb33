"""Profile table: chooses which profiles of a package a page shows, and fetches only these from the services."""

from typing import Any

from markupsafe import Markup
from nicegui import ui

from console.core.api_models import ApiProfileList, ApiProfileStates
from console.core.markup import join, tag
from console.core.profile_page import STATES, ProfilePage
from console.data.polling_cache import Query
from console.ui.elements import button, stack
from console.ui.live_page import LivePage


class ProfileTable:
    """Without a filter, ingress lists the profiles. So the page shows them even while stats does not answer. With a
    filter, stats lists the profiles, because only stats knows their states."""

    def __init__(self, page: LivePage, package_id: str) -> None:
        self._page = page
        self.shown = ProfilePage(package_id)

    def queries(self) -> tuple[Query[Any], ...]:
        """The queries that the page needs. At first there is only one query. Its answer says which profiles the second
        query concerns."""
        return tuple(query for query in (self._settings(), self._states()) if query is not None)

    def profiles(self) -> ApiProfileList | None:
        query = self._settings()
        return None if query is None else self._page.context.latest(query)

    def states(self) -> ApiProfileStates | None:
        query = self._states()
        return None if query is None else self._page.context.latest(query)

    def _settings(self) -> Query[ApiProfileList] | None:
        if not self.shown.is_filtered:
            return Query("ingress", self.shown.settings_path, ApiProfileList)
        states = self.states()
        if states is None or not states.data:
            return None
        path = self.shown.settings_of(state.profile_id for state in states.data)
        return Query("ingress", path, ApiProfileList)

    def _states(self) -> Query[ApiProfileStates] | None:
        if self.shown.is_filtered:
            return Query("stats", self.shown.states_path, ApiProfileStates)
        profiles = self.profiles()
        if profiles is None or not profiles.data:
            return None
        path = self.shown.states_of(profile.profile_id for profile in profiles.data)
        return Query("stats", path, ApiProfileStates)

    def build_filters(self) -> None:
        with stack("line"):
            text = ui.input(placeholder="Find a phone").props(
                'outlined dense clearable debounce=300 aria-label="Find a phone" data-testid="find-profile"'
            )
            state = ui.select(dict(STATES), value="").props(
                'outlined dense aria-label="Status of campaigns" data-testid="filter-state"'
            )

        def changed() -> None:
            self._show(self.shown.filtered(text.value or "", state.value or ""))

        text.on_value_change(changed)
        state.on_value_change(changed)

    def build_pager(self) -> None:
        with stack("line") as line:
            back = button("Previous phones", lambda: self._show(self.shown.previous())).props('data-testid="previous"')
            self._page.live_html(self._render_number)
            more = button("More phones", self._next).props('data-testid="more"')

        def update() -> None:
            line.set_visibility(bool(self.shown.cursors or self._next_cursor()))
            back.set_enabled(bool(self.shown.cursors))
            more.set_enabled(self._next_cursor() is not None)

        self._page.on_update(update)

    def _next(self) -> None:
        cursor = self._next_cursor()
        if cursor is not None:
            self._show(self.shown.next(cursor))

    def _next_cursor(self) -> str | None:
        chosen = self.states() if self.shown.is_filtered else self.profiles()
        return None if chosen is None else chosen.next_cursor

    def _show(self, shown: ProfilePage) -> None:
        self.shown = shown
        self._page.update()

    def _render_number(self) -> Markup:
        return join(tag("span", f"Page {self.shown.number}", class_="soft small"))
