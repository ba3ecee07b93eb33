"""History page: who changed what, when, from what to what; and taking it back."""

import json
from typing import Any

from nicegui import ui

from console.core import formats
from console.core.api_models import Change, Changes
from console.core.markup import tag, together
from console.core.setting_texts import label
from console.data.polling_cache import Question
from console.pages.package import title
from console.ui import components
from console.ui.actions import act
from console.ui.editor import button
from console.ui.elements import html, stack
from console.ui.live_page import Screen
from console.ui.page_context import PACKAGES, profiles_of

VALUE_CHARACTERS_MAX = 120


async def show(screen: Screen, package_id: str) -> None:
    desk = screen.desk
    changes = Question("ingress", f"/packages/{package_id}/changes?limit=100", Changes, every_seconds=3.0)
    await desk.feed.first(PACKAGES, changes)
    title(screen, package_id, "Who changed what, and when. What one change set can be put back by its button.")
    screen.notices(lambda: desk.part(changes, "changes"))
    place = stack("stack")
    shown: list[Changes | None] = [None]

    async def undo(change: Change) -> None:
        path = f"/packages/{package_id}/changes/{change.number}/undo"
        if await act(desk, "POST", "ingress", path, said=f"Change {change.number} is taken back."):
            for question in (changes, PACKAGES, profiles_of(package_id)):
                desk.feed.again(question)

    def look() -> None:
        known = desk.look(changes)
        if known is None or known is shown[0]:
            return
        shown[0] = known
        place.clear()
        with place:
            for change in known.data:
                _build(screen, package_id, change, lambda change=change: undo(change))

    screen.follow(look)


def _build(screen: Screen, package_id: str, change: Change, undo: Any) -> None:
    package = screen.desk.package(package_id)
    zone = package.timezone if package else "UTC"
    when = formats.clock(change.at, zone, screen.desk.now())
    who = change.who or "somebody with the API key"
    lines = [(label(each.pointer), _value(each.before), _value(each.after)) for each in change.differences]
    notes = [f"takes back change {change.undoes}"] if change.undoes else []
    notes += [f"taken back by change {change.undone_by}"] if change.undone_by else []
    with stack("card").props(f'data-testid="change-{change.number}"'):
        with ui.element("div").classes("card-head"):
            html(tag("div", tag("h2", f"{change.number} · {who}"),
                     tag("p", " · ".join([when, *notes]), class_="soft small")))  # fmt: skip
            if change.undoable:
                button("Undo", undo).props(
                    f'data-testid="undo-{change.number}" aria-label="Undo change {change.number}"'
                )
            elif change.why_not_undoable and not change.undone_by:
                html(tag("span", change.why_not_undoable, class_="faint small"))
        if any(each.pointer == "" for each in change.differences):
            html(tag("p", "The package was made."))
        else:
            html(components.table(("Setting", "From", "To"), lines))


def _value(value: Any) -> Any:
    if value is None:
        return tag("span", "–", class_="faint")
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    shown = text if len(text) <= VALUE_CHARACTERS_MAX else text[:VALUE_CHARACTERS_MAX] + " …"
    return tag("code", shown) if isinstance(value, dict | list) else together(shown)
