"""Page heads: the title at the top of each page of a package, and the button that pauses a package or a profile."""

from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from console.core.markup import tag
from console.data.polling_cache import Query
from console.ui import components
from console.ui.actions import run_action
from console.ui.elements import button, stack
from console.ui.live_page import LivePage
from console.ui.page_context import PACKAGES


def package_head(page: LivePage, package_id: str, subtitle: str) -> None:
    """Show the package's name, whether the package is paused, and the button that pauses or resumes it."""
    context = page.context

    def render() -> Markup:
        package = context.package(package_id)
        is_paused = package is not None and package.paused
        badge = components.badge("○ Paused", "off", "Nothing opens a conversation.") if is_paused else None
        name = tag("h1", package.name if package else package_id)
        return tag("div", tag("div", name, badge, class_="line"), tag("p", subtitle, class_="soft"))

    def is_paused() -> bool | None:
        package = context.package(package_id)
        return None if package is None else package.paused

    with stack("page-head"):
        page.live_html(render, testid="package-title")
        pause_button(page, f"/packages/{package_id}", "package", is_paused, PACKAGES)


def pause_button(page: LivePage, path: str, noun: str, is_paused: Callable[[], bool | None], query: Query[Any]) -> None:
    """Add a button that pauses or resumes the package or profile at `path`.

    `is_paused` returns None while it is not known whether the package or profile is paused. `is_paused` reads the data
    of `query`. Therefore `query` is repeated after the operator has paused or resumed.
    """

    async def press() -> None:
        verb = "resume" if is_paused() else "pause"
        if await run_action(page.context, "POST", "ingress", f"{path}/{verb}", success=f"The {noun} is {verb}d."):
            page.context.cache.refresh(query)

    element = button("", press).props('data-testid="pause"')

    def update() -> None:
        paused = is_paused()
        element.set_text(f"Resume the {noun}" if paused else f"Pause the {noun}")
        element.set_enabled(paused is not None)

    page.on_update(update)
