"""Conversations page: which profile a customer talks to, since when, and why."""

from nicegui import ui

from console import pieces
from console.acting import trouble
from console.api import Given, Refused
from console.core import figures
from console.core.composing import numbers
from console.core.markup import tag, together
from console.core.shapes import Conversation
from console.desk import PACKAGES, profiles_of
from console.editing import button
from console.elements import html, stack
from console.pages.package import title
from console.screen import Screen


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
            pieces.empty("conversations", "Whose conversation?", tag("p", "Type a number to see who talks to them."))
        )

    async def find() -> None:
        wanted = "".join(numbers(typed.value or ""))
        answer = await desk.api.get("ingress", f"/packages/{package_id}/conversations/{wanted or '-'}", 8.0)
        match answer:
            case Given(body):
                shown.set_content(_shown(screen, package_id, Conversation.model_validate(body)))
            case Refused(404):
                words = tag("p", "Nobody of this package has written to this number, nor they to us.")
                shown.set_content(pieces.empty("conversations", "No conversation", words))
            case _:
                shown.set_content(pieces.notice(trouble(answer, "ingress"), "bad"))

    typed.on("keydown.enter", find)


def _shown(screen: Screen, package_id: str, found: Conversation) -> str:
    desk = screen.desk
    package = desk.package(package_id)
    zone, now = package.timezone if package else "UTC", desk.now()
    names = {each.profile_id: each.name for each in desk.profiles(package_id)}
    facts = [
        ("Talks to", names.get(found.profile_id or "", found.profile_id or figures.DASH)),
        ("The customer wrote", figures.clock(found.customer_at, zone, now)),
        ("We wrote", figures.clock(found.sent_at, zone, now)),
        ("Warm", "yes: the customer wrote within 28 days" if found.warm else "no"),
        ("Over", "yes: nothing was said for so long that it binds no more" if found.over else "no"),
    ]
    steps = [
        tag("li", f"{names.get(each.profile_id, each.profile_id)}, since {each.cause}, ",
            figures.clock(each.at, zone, now), class_="on" if place == 0 else None)
        for place, each in enumerate(found.history)
    ]  # fmt: skip
    return together(tag("h2", figures.phone(found.recipient)), tag("div", style="height:.6rem"), pieces.facts(facts),
                    tag("h3", "Who it was with", style="margin:1rem 0 .5rem"),
                    tag("ul", *steps, class_="steps"))  # fmt: skip
