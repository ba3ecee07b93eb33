"""Phone list: the phones of one package or of all, searched, filtered, sorted and divided into pages."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from console.core.api_models import ApiPackage, ApiProfile
from console.core.phones.gateway_kinds import gateway_name
from console.core.profile_table import Status, bars, status
from spreader.contract.events import ProfileState

PAGE_ROWS = 50

STATUSES: Mapping[str, str] = {
    "": "Every status", "sends": "Can send", "problem": "Needs attention", "paused": "Paused",
}  # fmt: skip
SORTS: Mapping[str, str] = {
    "name": "By name", "status": "Problems first", "health": "Lowest health first", "gateway": "By gateway",
    "package": "By package",
}  # fmt: skip
_LINK_AGAIN = "Open the phone and press “Link this phone”."
_SESSIONS: Mapping[str, Status] = {
    "unlinked": Status("Not linked", "bad", f"WhatsApp is not linked. {_LINK_AGAIN}"),
    "failed": Status("Session failed", "bad", f"The session at the gateway has failed. {_LINK_AGAIN}"),
    "stopped": Status("Session stopped", "bad", f"The session at the gateway is stopped. {_LINK_AGAIN}"),
    "starting": Status("Starting", "warn", "The session at the gateway is starting."),
}
_PROBLEMS = ("bad", "warn")


@dataclass(frozen=True, slots=True)
class Phone:
    package_id: str
    package_name: str
    profile_id: str
    name: str
    number: str
    """The digits of the phone number."""
    driver: str
    paused: bool
    status: Status
    score: int | None
    """The health. None while it is not known."""

    @property
    def gateway(self) -> str:
        return gateway_name(self.driver)


@dataclass(frozen=True, slots=True)
class PhoneView:
    """What the operator wants to see. An empty text means that the filter is not used."""

    text: str = ""
    status: str = ""
    driver: str = ""
    package_id: str = ""
    sort: str = "name"
    page: int = 0

    def changed(self, **changes: str) -> "PhoneView":
        """The first page with these changes."""
        return replace(self, page=0, **changes)


@dataclass(frozen=True, slots=True)
class PhonePage:
    """`phones`: the phones on this page. `found`: the ids of all phones that fit the filters."""

    phones: tuple[Phone, ...]
    found: tuple[str, ...]
    page: int
    pages: int


def list_phones(
    packages: Iterable[ApiPackage],
    profiles: Mapping[str, Sequence[ApiProfile]],
    states: Mapping[str, ProfileState],
) -> tuple[Phone, ...]:
    """`profiles`: the profiles of each package by its id. `states`: by the id of the profile."""
    return tuple(
        _phone(package, profile, states.get(profile.profile_id))
        for package in packages
        for profile in profiles.get(package.package_id, ())
    )


def show_page(phones: Iterable[Phone], view: PhoneView) -> PhonePage:
    found = sorted((phone for phone in phones if _fits(phone, view)), key=_KEYS[view.sort])
    pages = max(1, -(-len(found) // PAGE_ROWS))
    page = min(view.page, pages - 1)
    shown = tuple(found[page * PAGE_ROWS : (page + 1) * PAGE_ROWS])
    return PhonePage(shown, tuple(phone.profile_id for phone in found), page, pages)


def _phone(package: ApiPackage, profile: ApiProfile, state: ProfileState | None) -> Phone:
    return Phone(
        package_id=package.package_id,
        package_name=package.name,
        profile_id=profile.profile_id,
        name=profile.name,
        number=profile.phone,
        driver=profile.gateway.driver,
        paused=profile.paused,
        status=_status(package, profile, state),
        score=state.health.score if state and state.health else None,
    )


def _status(package: ApiPackage, profile: ApiProfile, state: ProfileState | None) -> Status:
    """A session that does not work comes before everything but a pause, because then the phone can send nothing."""
    session = _SESSIONS.get(state.session or "") if state is not None else None
    if session is not None and not package.paused and not profile.paused:
        return session
    return status(package, profile, state, None, bars(profile, state, None))


def _fits(phone: Phone, view: PhoneView) -> bool:
    return (
        view.driver in ("", phone.driver)
        and view.package_id in ("", phone.package_id)
        and _has_status(phone, view.status)
        and _has_text(phone, view.text.strip().casefold())
    )


def _has_status(phone: Phone, wanted: str) -> bool:
    match wanted:
        case "paused":
            return phone.status.tone == "off"
        case "problem":
            return phone.status.tone in _PROBLEMS
        case "sends":
            return phone.status.tone not in (*_PROBLEMS, "off")
        case _:
            return True


def _has_text(phone: Phone, text: str) -> bool:
    digits = "".join(character for character in text if character.isdecimal())
    is_number = bool(digits) and not any(character.isalpha() for character in text)
    return (
        text in phone.name.casefold() or text in phone.profile_id.casefold() or (is_number and digits in phone.number)
    )


_TONES = ("bad", "warn", "unknown", "full", "off", "good")
_KEYS: Mapping[str, Callable[[Phone], tuple[object, ...]]] = {
    "name": lambda phone: (phone.name.casefold(), phone.profile_id),
    "status": lambda phone: (_TONES.index(phone.status.tone), phone.name.casefold(), phone.profile_id),
    "health": lambda phone: (101 if phone.score is None else phone.score, phone.name.casefold(), phone.profile_id),
    "gateway": lambda phone: (phone.gateway, phone.name.casefold(), phone.profile_id),
    "package": lambda phone: (phone.package_name.casefold(), phone.name.casefold(), phone.profile_id),
}
