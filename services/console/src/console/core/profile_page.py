"""Profile page: one page of the list of a package's profiles, and the requests that fetch only what this page shows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

PROFILES_SHOWN = 200
STATES: Mapping[str, str] = {"": "Every status", "ok": "Working", "limited": "Limited", "blocked": "Blocked"}
"""The filters of the open lane's state, and their names on the page."""


@dataclass(frozen=True, slots=True)
class ProfilePage:
    package_id: str
    text: str = ""
    """The page shows only profiles whose id, name or phone number contains this text. Empty: it shows every profile."""
    state: str = ""
    """The state of the open lane, a key of `STATES`."""
    cursors: tuple[str, ...] = ()
    """The cursors with which this page and the pages before it were requested. Empty for the first page, because it
    needs no cursor."""

    @property
    def is_filtered(self) -> bool:
        return bool(self.text or self.state)

    @property
    def number(self) -> int:
        return len(self.cursors) + 1

    def filtered(self, text: str, state: str) -> "ProfilePage":
        """The first page with these filters."""
        return ProfilePage(self.package_id, text.strip()[:200], state)

    def next(self, cursor: str) -> "ProfilePage":
        return replace(self, cursors=(*self.cursors, cursor))

    def previous(self) -> "ProfilePage":
        return replace(self, cursors=self.cursors[:-1])

    @property
    def settings_path(self) -> str:
        """The request to ingress for the profiles of this page. It is used if the page has no filter."""
        return f"/packages/{self.package_id}/profiles?{urlencode(self._page())}"

    @property
    def states_path(self) -> str:
        """The request to stats for the states of the profiles of this page. It is used if the page has a filter."""
        filters = [(name, value) for name, value in (("state", self.state), ("text", self.text)) if value]
        return f"/profiles?{urlencode([('package_id', self.package_id), *filters, *self._page()])}"

    def settings_of(self, profile_ids: Iterable[str]) -> str:
        """The request for the settings of these profiles."""
        return f"/packages/{self.package_id}/profiles?{urlencode(_of(profile_ids))}"

    def states_of(self, profile_ids: Iterable[str]) -> str:
        """The request for the states of these profiles."""
        return f"/profiles?{urlencode([('package_id', self.package_id), *_of(profile_ids)])}"

    def _page(self) -> list[tuple[str, str]]:
        return [("limit", str(PROFILES_SHOWN)), *(("cursor", cursor) for cursor in self.cursors[-1:])]


def _of(profile_ids: Iterable[str]) -> list[tuple[str, str]]:
    return [("limit", str(PROFILES_SHOWN)), *(("profile_id", name) for name in profile_ids)]
