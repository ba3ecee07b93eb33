"""Conversations page: which profile a customer talks to, since when, and why."""

from nicegui import ui

from console.core import formats
from console.core.api_models import Conversation
from console.core.markup import tag, together
from console.core.message_body import numbers
from console.data.api import Given, Refused
from console.pages.package import title
from console.ui import components
from console.ui.actions import trouble
from console.ui.editor import button
from console.ui.elements import html, stack
from console.ui.live_page import Screen
from console.ui.page_context import PACKAGES, profiles_of


async def show(screen: Screen, package_id: str) -> None:
    desk = screen.desk
    await desk.feed.first(PACKAGES, profiles_of(package_id))
    title(screen, package_id, "A customer stays with one profile: replies go out from the number they know.")
    with stack("card"):
        with stack("line"):
            typed = ui.input("The customer's number", placeholder="201001234567").props(
                'outlined dense data-testid="customer"'
            )
            typed.style("flex:1;max-width:24rem")
            button("Look up", lambda: find(), "button-main").props('data-testid="find"')
        shown = html(
            components.empty(
                "conversations", "Whose conversation?", tag("p", "Type a number to see who talks to them.")
            )
        )

    async def find() -> None:
        wanted = "".join(numbers(typed.value or ""))
        answer = await desk.api.get("ingress", f"/packages/{package_id}/conversations/{wanted or '-'}", 8.0)
        match answer:
            case Given(body):
                shown.set_content(_shown(screen, package_id, Conversation.model_validate(body)))
            case Refused(404):
                words = tag("p", "Nobody of this package has written to this number, nor they to us.")
                shown.set_content(components.empty("conversations", "No conversation", words))
            case _:
                shown.set_content(components.notice(trouble(answer, "ingress"), "bad"))

    typed.on("keydown.enter", find)


def _shown(screen: Screen, package_id: str, found: Conversation) -> str:
    desk = screen.desk
    package = desk.package(package_id)
    zone, now = package.timezone if package else "UTC", desk.now()
    names = {each.profile_id: each.name for each in desk.profiles(package_id)}
    facts = [
        ("Talks to", names.get(found.profile_id or "", found.profile_id or formats.DASH)),
        ("The customer wrote", formats.clock(found.customer_at, zone, now)),
        ("We wrote", formats.clock(found.sent_at, zone, now)),
        ("Warm", "yes: the customer wrote within 28 days" if found.warm else "no"),
        ("Over", "yes: nothing was said for so long that it binds no more" if found.over else "no"),
    ]
    steps = [
        tag("li", f"{names.get(each.profile_id, each.profile_id)}, since {each.cause}, ",
            formats.clock(each.at, zone, now), class_="on" if place == 0 else None)
        for place, each in enumerate(found.history)
    ]  # fmt: skip
    return together(tag("h2", formats.phone(found.recipient)), tag("div", style="height:.6rem"),
                    components.facts(facts),
                    tag("h3", "Who it was with", style="margin:1rem 0 .5rem"),
                    tag("ul", *steps, class_="steps"))  # fmt: skip
