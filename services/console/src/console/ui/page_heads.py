"""Page heads: the title at the top of each page of a package, and the button that pauses a package or a profile."""

from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from console.core.markup import tag
from console.data.polling_cache import Query
from console.ui import components
from console.ui.actions import run_action
from console.ui.confirm import confirm
from console.ui.elements import button, stack
from console.ui.live_page import LivePage
from console.ui.page_context import PACKAGES


def package_head(page: LivePage, package_id: str, subtitle: str) -> None:
    """Show where the operator is: the package and the page. Add the button that pauses or resumes the package."""
    context = page.context

    def render() -> Markup:
        package = context.package(package_id)
        is_paused = package is not None and package.paused
        badge = components.badge("○ Paused", "off", "It sends no campaign messages.") if is_paused else None
        name = package.name if package else package_id
        above = components.link(name, f"/packages/{package_id}", "small soft crumb")
        heading = tag("h1", page.name or name)
        return tag("div", above, tag("div", heading, badge, class_="line"), tag("p", subtitle, class_="soft"))

    def is_paused() -> bool | None:
        package = context.package(package_id)
        return None if package is None else package.paused

    def question() -> tuple[str, str, str]:
        words = "All campaigns of this package stop until you resume it. Messages keep waiting. Replies go on."
        return f"Pause {context.package_name(package_id)}?", words, "Pause the package"

    with stack("page-head"):
        page.live_html(render, testid="package-title")
        pause_button(page, f"/packages/{package_id}", "package", is_paused, PACKAGES, question)


def pause_button(
    page: LivePage,
    path: str,
    noun: str,
    is_paused: Callable[[], bool | None],
    query: Query[Any],
    question: Callable[[], tuple[str, str, str]] | None = None,
) -> None:
    """Add a button that pauses or resumes the package or profile at `path`.

    `is_paused` returns None while it is not known whether the package or profile is paused. `is_paused` reads the data
    of `query`. Therefore `query` is repeated after the operator has paused or resumed. `question`: what to ask before a
    pause, as title, words and button.
    """

    async def press() -> None:
        verb = "resume" if is_paused() else "pause"
        if question is not None and verb == "pause" and not await confirm(*question(), is_danger=False):
            return
        if await run_action(page.context, "POST", "ingress", f"{path}/{verb}", success=f"{noun.title()} {verb}d."):
            page.context.cache.refresh(query)

    element = button("", press).props('data-testid="pause"')

    def update() -> None:
        paused = is_paused()
        element.set_text(f"Resume the {noun}" if paused else f"Pause the {noun}")
        element.set_enabled(paused is not None)

    page.on_update(update)
