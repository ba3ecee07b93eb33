"""Conversations page: shows which profile a customer talks to, since when, and why."""

from markupsafe import Markup
from nicegui import ui

from console.core import formats
from console.core.api_models import ApiConversation
from console.core.markup import join, tag
from console.data.api import CallRefused, CallSucceeded
from console.ui import components
from console.ui.actions import error_text
from console.ui.elements import button, html, stack
from console.ui.live_page import LivePage
from console.ui.page_context import PACKAGES, profiles_query
from console.ui.page_heads import package_head
from spreader.phone.dressed_number import NoNumber, read_number


async def show(page: LivePage, package_id: str) -> None:
    context = page.context
    await context.cache.load(PACKAGES, profiles_query(package_id))
    package_head(page, package_id, "A customer stays with one phone: replies come from the number they know.")
    with stack("card"):
        with stack("line"):
            field = ui.input("Customer's number", placeholder="201001234567").props(
                'outlined dense data-testid="customer"'
            )
            field.style("flex:1;max-width:24rem")
            button("Look up", lambda: find(), "button-main").props('data-testid="find"')
        shown = html(
            components.empty(
                "conversations", "Whose conversation?", tag("p", "Enter a number to see which phone they talk to.")
            )
        )

    async def find() -> None:
        recipient = read_number(field.value or "", context.country(package_id))
        if isinstance(recipient, NoNumber):
            shown.set_content(components.notice(f"Not a phone number: {recipient.reason}.", "bad"))
            return
        result = await context.api.get("ingress", f"/packages/{package_id}/conversations/{recipient}", 8.0)
        match result:
            case CallSucceeded(body):
                shown.set_content(_render(page, package_id, ApiConversation.model_validate(body)))
            case CallRefused(404):
                words = tag("p", "There are no messages with this number in this package.")
                shown.set_content(components.empty("conversations", "No conversation", words))
            case _:
                shown.set_content(components.notice(error_text(result, "ingress"), "bad"))

    field.on("keydown.enter", find)


def _render(page: LivePage, package_id: str, conversation: ApiConversation) -> Markup:
    context = page.context
    zone, now, names = context.zone(package_id), context.now(), context.profile_names(package_id)
    facts = [
        ("Assigned phone", names.get(conversation.profile_id or "", conversation.profile_id or formats.DASH)),
        ("The customer wrote", formats.clock(conversation.customer_at, zone, now)),
        ("We wrote", formats.clock(conversation.sent_at, zone, now)),
        ("Known contact", "yes, wrote within 28 days" if conversation.warm else "no"),
        ("Conversation", "ended: silent for long" if conversation.over else "open"),
    ]
    steps = [
        tag(
            "li",
            f"{names.get(binding.profile_id, binding.profile_id)}, since {binding.cause}, ",
            formats.clock(binding.at, zone, now),
            class_="on" if index == 0 else None,
        )
        for index, binding in enumerate(conversation.history)
    ]
    return join(
        tag("h2", formats.phone(conversation.recipient)),
        tag("div", style="height:.6rem"),
        components.facts(facts),
        tag("h3", "Phones so far", style="margin:1rem 0 .5rem"),
        tag("ul", *steps, class_="steps"),
    )
