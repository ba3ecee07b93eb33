"""Phone cards: the parts of a phone's page that concern its gateway, and the buttons that move and remove it."""

from nicegui import ui

from console.core.api_models import ApiProfile
from console.core.phones.gateway_kinds import KINDS
from console.core.phones.phone_list import Phone, list_phones
from console.data.api import CallSucceeded
from console.data.polling_cache import Query
from console.pages.phones import bulk
from console.pages.phones.gateway_card import CheckPanel, GatewayCard
from console.pages.phones.link_card import LinkCard
from console.pages.phones.webhook_card import WebhookCard
from console.ui.elements import button, stack
from console.ui.live_page import LivePage


def connection_cards(page: LivePage, address: str, loaded: CallSucceeded, check: CheckPanel) -> None:
    """The cards that link the phone, set its webhook, and change its gateway."""
    document = loaded.body
    if KINDS[document["gateway"]["driver"]].link == "device":
        LinkCard(page, document["profile_id"], document["name"]).build()
    GatewayCard(page, address, loaded, check)
    WebhookCard(page, document).build()


def removal_buttons(page: LivePage, package_id: str, profile_id: str) -> None:
    context = page.context

    def phone() -> Phone | None:
        package = context.package(package_id)
        profile = context.latest(Query("ingress", f"/packages/{package_id}/profiles/{profile_id}", ApiProfile))
        if package is None or profile is None:
            return None
        return list_phones([package], {package_id: [profile]}, {})[0]

    async def move() -> None:
        if (shown := phone()) is not None and await bulk.move(context, [shown]):
            ui.navigate.to(f"/packages/{package_id}/phones")

    async def remove() -> None:
        if (shown := phone()) is not None and await bulk.remove(context, [shown]):
            ui.navigate.to(f"/packages/{package_id}/phones")

    with stack("line"):
        button("Move to another package …", move).props('data-testid="move-phone"')
        button("Remove this phone …", remove, "button-danger").props('data-testid="remove-phone"')
