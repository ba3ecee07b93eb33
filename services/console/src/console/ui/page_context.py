"""Page context: the objects that every page of an operator uses, such as the session and the polled data."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from console.core.api_models import (
    ApiAlertList,
    ApiPackage,
    ApiPackageFiguresList,
    ApiPackageList,
    ApiProfile,
    ApiProfileList,
)
from console.core.last_answer import LastAnswer
from console.core.queue import ApiQueue
from console.core.stale_notice import PageData, notices
from console.data.api import OperatorClient
from console.data.polling_cache import PollingCache, Query, T
from console.data.sessions import Session, Sessions
from console.ui.uploads import UploadFields
from spreader.clock import Now

PACKAGES = Query("ingress", "/packages", ApiPackageList, all_pages=True)
FIGURES = Query("stats", "/packages", ApiPackageFiguresList, interval_seconds=2.0, all_pages=True)
ALERTS = Query("stats", "/alerts?state=open", ApiAlertList, interval_seconds=2.0, all_pages=True)

_SUBJECTS = {"ingress": "Server", "stats": "Statistics"}


def queue_query(package_id: str, interval_seconds: float = 1.0) -> Query[ApiQueue]:
    return Query("ingress", f"/packages/{package_id}/queue", ApiQueue, interval_seconds)


def figures_query(package_id: str) -> Query[ApiPackageFiguresList]:
    return Query("stats", f"/packages?package_id={package_id}", ApiPackageFiguresList)


def profiles_query(package_id: str) -> Query[ApiProfileList]:
    return Query("ingress", f"/packages/{package_id}/profiles", ApiProfileList, all_pages=True)


def names_query(package_id: str) -> Query[ApiProfileList]:
    """The profiles of a package, for pages that show profiles of many packages and need only their names."""
    return Query("ingress", f"/packages/{package_id}/profiles", ApiProfileList, 10.0, all_pages=True)


@dataclass(frozen=True, slots=True)
class PageContext:
    session: Session
    sessions: Sessions
    cache: PollingCache
    now: Now
    """The system clock, which may run faster than wall time."""
    wall_now: Now
    uploads: UploadFields

    @property
    def api(self) -> OperatorClient:
        return replace(self.cache.api, is_signed_in=lambda: self.is_signed_in)

    @property
    def is_signed_in(self) -> bool:
        return self.sessions.is_valid(self.session)

    def latest(self, query: Query[T]) -> T | None:
        """The newest data that the query has returned. None before the first answer."""
        return self.cache.last_answer(query).value

    def package(self, package_id: str) -> ApiPackage | None:
        packages = self.latest(PACKAGES)
        return next((item for item in packages.data if item.package_id == package_id), None) if packages else None

    def package_name(self, package_id: str) -> str:
        package = self.package(package_id)
        return package.name if package else package_id

    def zone(self, package_id: str) -> str:
        """The package's time zone, or UTC while the package is unknown."""
        package = self.package(package_id)
        return package.timezone if package else "UTC"

    def country(self, package_id: str) -> str | None:
        """The country to which national numbers belong in this package. None if the package names no country."""
        package = self.package(package_id)
        return package.default_country if package else None

    def profiles(self, package_id: str) -> Sequence[ApiProfile]:
        profiles = self.latest(profiles_query(package_id))
        return profiles.data if profiles else ()

    def profile_names(self, package_id: str) -> dict[str, str]:
        return {profile.profile_id: profile.name for profile in self.profiles(package_id)}

    def all_profile_names(self, package_id: str) -> dict[str, str]:
        """As `profile_names`, for a page that shows profiles of many packages."""
        profiles = self.latest(names_query(package_id))
        return {profile.profile_id: profile.name for profile in profiles.data} if profiles else {}

    def page_data(self, query: Query[T], name: str) -> PageData:
        answer: LastAnswer[T | None] = self.cache.last_answer(query)
        return PageData(_SUBJECTS[query.service], name, answer, query.interval)

    def notices(self, *data: PageData) -> tuple[str, ...]:
        return notices(data, self.wall_now())

    def is_old(self, query: Query[T]) -> bool:
        return not self.cache.last_answer(query).is_fresh(self.wall_now(), query.interval)
