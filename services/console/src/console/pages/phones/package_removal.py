"""Package removal: the button that deletes a package, after a question that says what goes with it."""

from nicegui import ui

from console.core.phones.queue_words import package_removal_words
from console.ui.actions import run_action
from console.ui.confirm import confirm
from console.ui.elements import button, stack
from console.ui.live_page import LivePage
from console.ui.page_context import PACKAGES, queue_query


def removal_button(page: LivePage, package_id: str) -> None:
    async def remove() -> None:
        context = page.context
        await context.cache.load(PACKAGES, queue_query(package_id))
        package = context.package(package_id)
        if package is None:
            return
        words = package_removal_words(context.latest(queue_query(package_id)), len(package.profile_ids))
        if not await confirm(f"Delete the package “{package.name}”?", words, "Delete the package"):
            return
        path, success = f"/packages/{package_id}", f"Package “{package.name}” deleted."
        if await run_action(context, "DELETE", "ingress", path, success=success):
            context.cache.refresh(PACKAGES)
            ui.navigate.to("/")

    with stack("line"):
        button("Delete this package …", remove, "button-danger").props('data-testid="delete-package"')
