"""Pieces: what every page is made of: cards, notices, badges, bars, tables; each is markup from values."""

from collections.abc import Iterable, Sequence

from markupsafe import Markup

from console.core import formats
from console.core.markup import Child, tag, together
from console.core.profile_table import NEARLY_FULL, Bar, Status, health_tone
from console.theme import icon
from spreader.contract.events import Health

NOTICE_ICONS = {"warn": "warning", "bad": "warning", "good": "good", "info": "info"}


def head(title: str, words: Child = None, *actions: Child) -> Markup:
    """A page's title; what can be done stands beside it."""
    said = tag("div", tag("h1", title), tag("p", words, class_="soft") if words else None)
    return tag("div", said, tag("div", *actions, class_="line") if actions else None, class_="page-head")


def card(*children: Child, title: str = "", beside: Child = None, testid: str | None = None) -> Markup:
    top = tag("div", tag("h2", title), beside, class_="card-head") if title else None
    return tag("section", top, *children, class_="card", data_testid=testid)


def notice(words: Child, kind: str = "warn", testid: str = "notice") -> Markup:
    role = "alert" if kind == "bad" else "status"
    shown = tag("div", words)
    return tag("div", icon(NOTICE_ICONS[kind]), shown, class_=f"notice notice-{kind}", role=role, data_testid=testid)


def badge(words: str, tone: str = "", why: str | None = None) -> Markup:
    return tag("span", words, class_=f"badge badge-{tone}" if tone else "badge", title=why)


def state(status: Status) -> Markup:
    """A status: the dot tells it without colour, the title tells why."""
    return badge(status.text, status.tone, status.why)


def bar(shown: Bar) -> Markup:
    tone = "fill-full" if shown.is_full else "fill-high" if shown.share >= NEARLY_FULL else ""
    fill = tag("div", class_=f"fill {tone}", style=f"width:{shown.share:.1%}")
    track = tag(
        "div", fill, class_="track", role="progressbar", aria_label=shown.text, aria_valuemin="0",
        aria_valuenow=str(min(shown.used or 0, shown.limit or 0)), aria_valuemax=str(shown.limit or 0),
    )  # fmt: skip
    numbers, _, window = shown.text.partition(" ")
    if shown.limit is None:
        numbers, window = shown.text.removesuffix(f" {shown.window}"), shown.window
    return tag("div", tag("div", tag("b", numbers), tag("span", window, class_="soft"), class_="bar-text"), track)


def health(known: Health | None) -> Markup:
    if known is None:
        return tag("span", DASH_UNKNOWN, class_="soft small", title="The stats have not said yet how healthy it is.")
    why = "; ".join(f"{each.name}: {each.evidence}" for each in known.reasons)
    dot = tag("i", aria_hidden="true")
    return tag("span", dot, str(known.score), class_=f"score tone-{health_tone(known)}", title=why or known.band)


DASH_UNKNOWN = formats.UNKNOWN


def tile(name: str, value: Child, words: Child = None, testid: str | None = None) -> Markup:
    return tag(
        "div", tag("span", name, class_="tile-name"), tag("span", value, class_="tile-value"),
        tag("span", words, class_="tile-words") if words else None, class_="tile", data_testid=testid,
    )  # fmt: skip


def tiles(*each: Markup) -> Markup:
    return tag("div", *each, class_="tiles")


def table(
    heads: Sequence[str], lines: Iterable[Sequence[Child]], numbers: Sequence[int] = (), testid: str = ""
) -> Markup:
    """`numbers` are the columns that hold figures."""

    def cell(kind: str, place: int, content: Child) -> Markup:
        return tag(kind, content, class_="num" if place in numbers else None, scope="col" if kind == "th" else None)

    top = tag("tr", *(cell("th", place, name) for place, name in enumerate(heads)))
    body = [tag("tr", *(cell("td", place, each) for place, each in enumerate(line))) for line in lines]
    shown = tag("table", tag("thead", top), tag("tbody", body), class_="table", data_testid=testid or None)
    return tag("div", shown, class_="scroll", tabindex="0", role="region", aria_label="Table")


def facts(pairs: Iterable[tuple[str, Child]]) -> Markup:
    return tag("dl", *(together(tag("dt", name), tag("dd", value)) for name, value in pairs), class_="facts")


def empty(drawing: str, title: str, *words: Child) -> Markup:
    return tag("div", icon(drawing), tag("h2", title), *words, class_="empty", data_testid="empty")


def link(words: str, address: str, kind: str = "button", drawing: str = "") -> Markup:
    return tag("a", icon(drawing) if drawing else None, words, href=address, class_=kind or None)


def parts_bar(parts: Sequence[tuple[str, int]], total: int, label: str) -> Markup:
    """One bar of several parts, each with the name of its colour."""
    fills = [
        tag("div", class_=f"fill fill-{name}", style=f"width:{number / total:.2%}", title=f"{name}: {number}")
        for name, number in parts
        if number and total
    ]
    done = sum(number for _, number in parts)
    return tag(
        "div", *fills, class_="track track-tall", role="progressbar", aria_label=label, aria_valuemin="0",
        aria_valuenow=str(done), aria_valuemax=str(total),
    )  # fmt: skip
