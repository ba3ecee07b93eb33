"""Components: functions that render values as cards, notices, badges, bars and tables."""

from collections.abc import Iterable, Sequence

from markupsafe import Markup

from console.core import formats
from console.core.markup import Child, join, tag
from console.core.profile_table import NEARLY_FULL, LimitBar, Status, health_tone
from console.theme import icon
from spreader.contract.events import Health

NOTICE_ICONS = {"warn": "warning", "bad": "warning", "good": "good", "info": "info"}


def page_head(title: str, subtitle: Child = None, *actions: Child) -> Markup:
    text = tag("div", tag("h1", title), tag("p", subtitle, class_="soft") if subtitle else None)
    return tag("div", text, tag("div", *actions, class_="line") if actions else None, class_="page-head")


def card(*children: Child, title: str = "", beside: Child = None, testid: str | None = None) -> Markup:
    top = tag("div", tag("h2", title), beside, class_="card-head") if title else None
    return tag("section", top, *children, class_="card", data_testid=testid)


def notice(text: Child, kind: str = "warn", testid: str = "notice") -> Markup:
    role = "alert" if kind == "bad" else "status"
    return tag(
        "div", icon(NOTICE_ICONS[kind]), tag("div", text), class_=f"notice notice-{kind}", role=role, data_testid=testid
    )


def badge(text: str, tone: str = "", why: str | None = None) -> Markup:
    return tag("span", text, class_=f"badge badge-{tone}" if tone else "badge", title=why)


def status_badge(status: Status) -> Markup:
    """A badge with the word of a status, and a tooltip that explains the status.

    The dot in the badge is filled only for a good status, because some people cannot distinguish the colours.
    """
    return badge(status.text, status.tone, status.why)


def limit_bar(limit: LimitBar) -> Markup:
    tone = "fill-full" if limit.is_full else "fill-high" if limit.share >= NEARLY_FULL else ""
    fill = tag("div", class_=f"fill {tone}", style=f"width:{limit.share:.1%}")
    track = tag(
        "div",
        fill,
        class_="track",
        role="progressbar",
        aria_label=limit.text,
        aria_valuemin="0",
        aria_valuenow=str(min(limit.used or 0, limit.limit or 0)),
        aria_valuemax=str(limit.limit or 0),
    )
    numbers, _, window = limit.text.partition(" ")
    if limit.limit is None:
        numbers, window = limit.text.removesuffix(f" {limit.window}"), limit.window
    return tag("div", tag("div", tag("b", numbers), tag("span", window, class_="soft"), class_="bar-text"), track)


def health_score(health: Health | None, blocked: bool = False) -> Markup:
    if health is None:
        return tag("span", formats.UNKNOWN, class_="soft small", title="It takes some messages to tell.")
    why = "; ".join(f"{reason.name}: {reason.evidence}" for reason in health.reasons)
    dot = tag("i", aria_hidden="true")
    return tag(
        "span",
        dot,
        str(health.score),
        class_=f"score tone-{health_tone(health, blocked)}",
        title=_blocked(blocked) + (why or health.band),
    )


def _blocked(blocked: bool) -> str:
    return "The phone is blocked. The score counts what was before. " if blocked else ""


def tile(name: str, value: Child, note: Child = None, testid: str | None = None) -> Markup:
    return tag(
        "div",
        tag("span", name, class_="tile-name"),
        tag("span", value, class_="tile-value"),
        tag("span", note, class_="tile-words") if note else None,
        class_="tile",
        data_testid=testid,
    )


def tiles(*items: Markup) -> Markup:
    return tag("div", *items, class_="tiles")


def table(
    heads: Sequence[str],
    lines: Iterable[Sequence[Child]],
    numbers: Sequence[int] = (),
    testid: str = "",
    fixed: bool = False,
) -> Markup:
    """A table. `numbers` has the indexes of the columns with numbers, which are right-aligned. `fixed`: the
    columns are equally wide, so that several tables look alike."""

    def cell(kind: str, column: int, content: Child) -> Markup:
        return tag(kind, content, class_="num" if column in numbers else None, scope="col" if kind == "th" else None)

    top = tag("tr", *(cell("th", column, name) for column, name in enumerate(heads)))
    body = [tag("tr", *(cell("td", column, content) for column, content in enumerate(line))) for line in lines]
    shown = tag(
        "table",
        tag("thead", top),
        tag("tbody", body),
        class_="table table-fixed" if fixed else "table",
        data_testid=testid or None,
    )
    return tag("div", shown, class_="scroll", tabindex="0", role="region", aria_label="Table")


def facts(pairs: Iterable[tuple[str, Child]]) -> Markup:
    return tag("dl", *(join(tag("dt", name), tag("dd", value)) for name, value in pairs), class_="facts")


def empty(icon_name: str, title: str, *content: Child, heading: str = "h2") -> Markup:
    """What an empty page or an empty list shows instead of its content."""
    return tag("div", icon(icon_name), tag(heading, title), *content, class_="empty", data_testid="empty")


def not_found(title: str, words: str) -> Markup:
    back = link("Back to packages", "/", "button button-main")
    return tag("div", empty("search", title, tag("p", words), back, heading="h1"), class_="card")


def link(text: str, address: str, kind: str = "button", icon_name: str = "") -> Markup:
    return tag("a", icon(icon_name) if icon_name else None, text, href=address, class_=kind or None)


def copyable(text: str, testid: str | None = None) -> Markup:
    """A text, such as an address or an id, with a button that copies it."""
    copy = tag(
        "button", "Copy", type="button", class_="button small-button", onclick="spreaderCopy(this)", data_text=text
    )
    return tag("div", tag("code", text, data_testid=testid), copy, class_="line copyable")


def parts_bar(parts: Sequence[tuple[str, int]], total: int, label: str) -> Markup:
    """A progress bar that consists of several parts. The name of each part selects its colour."""
    fills = [
        tag("div", class_=f"fill fill-{name}", style=f"width:{number / total:.2%}", title=f"{name}: {number}")
        for name, number in parts
        if number and total
    ]
    done = sum(number for _, number in parts)
    return tag(
        "div",
        *fills,
        class_="track track-tall",
        role="progressbar",
        aria_label=label,
        aria_valuemin="0",
        aria_valuenow=str(done),
        aria_valuemax=str(total),
    )
