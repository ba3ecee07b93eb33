"""Pace page: which phones of a package's queue are shown, in which order, and on which page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from console.core.queue import ApiPace

PAGE_ROWS = 50
OPEN_MAX = 8
"""If a package has at most this number of phones, all rows are open at first."""
ORDERS: Mapping[str, str] = {"name": "By name", "held": "Most waiting first", "next": "Next send first"}


@dataclass(frozen=True, slots=True)
class PaceView:
    text: str = ""
    """Only phones whose name or id contains this text are shown."""
    order: str = "name"
    page: int = 0


@dataclass(frozen=True, slots=True)
class PacePage:
    """`total`: how many phones the package has, whether they are shown or not."""

    paces: tuple[ApiPace, ...]
    page: int
    pages: int
    total: int


def pace_page(paces: Sequence[ApiPace], names: Mapping[str, str], view: PaceView) -> PacePage:
    """`names`: the name of each profile by its id."""
    text = view.text.strip().casefold()

    def name(pace: ApiPace) -> str:
        return names.get(pace.profile_id, pace.profile_id).casefold()

    keys: Mapping[str, Callable[[ApiPace], tuple[object, ...]]] = {
        "name": lambda pace: (name(pace), pace.profile_id),
        "held": lambda pace: (-pace.held, name(pace), pace.profile_id),
        "next": lambda pace: (
            pace.next_release is None,
            pace.next_release.timestamp() if pace.next_release else 0.0,
            name(pace),
            pace.profile_id,
        ),
    }
    found = sorted(
        (pace for pace in paces if text in name(pace) or text in pace.profile_id.casefold()), key=keys[view.order]
    )
    pages = max(1, -(-len(found) // PAGE_ROWS))
    page = min(view.page, pages - 1)
    return PacePage(tuple(found[page * PAGE_ROWS : (page + 1) * PAGE_ROWS]), page, pages, len(paces))
