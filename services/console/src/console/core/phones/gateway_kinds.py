"""Gateway kinds: what an operator reads about each kind of gateway, and what its forms ask for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Link = Literal["device", "elsewhere", "none"]


@dataclass(frozen=True, slots=True)
class Secret:
    """One of the credentials. `name` is its name in the API."""

    name: str
    label: str
    words: str


@dataclass(frozen=True, slots=True)
class GatewayKind:
    driver: str
    name: str
    account_label: str
    account_words: str
    """What an empty account means, or where the operator finds the account."""
    needs_account: bool
    address: str
    """An example of an address. Empty: these gateways have no address that an operator can choose."""
    needs_address: bool
    secrets: tuple[Secret, ...]
    link: Link
    """Where the WhatsApp account is linked: here, as a linked device, elsewhere, or nowhere."""
    steps: tuple[str, ...]
    """How somebody sets the webhook address by hand."""


KINDS: Mapping[str, GatewayKind] = {
    kind.driver: kind
    for kind in (
        GatewayKind(
            "waha",
            "WAHA",
            "Session",
            "The name of the session at WAHA. Empty: the phone's API ID.",
            False,
            "https://waha.example.com",
            True,
            (
                Secret("api_key", "API key", "WAHA_API_KEY of your WAHA."),
                Secret("hmac_key", "HMAC key", "A long text of your own. WAHA signs its webhook calls with it."),
            ),
            "device",
            (
                "Open the session in WAHA's dashboard, and edit its configuration.",
                "Add a webhook with this address, and enter the HMAC key of this phone.",
                "Choose the events message, message.any, message.ack, message.reaction, message.edited, "
                "session.status and engine.event.",
                "Set the retries to constant, 2 seconds, 60 attempts. Save. WAHA restarts the session.",
            ),
        ),
        GatewayKind(
            "evolution",
            "Evolution API",
            "Instance",
            "The name of the instance. Empty: the phone's API ID.",
            False,
            "https://evolution.example.com",
            True,
            (
                Secret("api_key", "API key", "The global API key, or the token of the instance."),
                Secret("webhook_token", "Webhook token", "A long text of your own. Evolution shows it in each call."),
            ),
            "device",
            (
                "Open the instance in Evolution's manager, and then Events, Webhook.",
                "Enable it, enter this address, and add the header Authorization with the value Bearer, a space, and "
                "the webhook token of this phone.",
                "Choose the events MESSAGES_UPSERT, MESSAGES_EDITED, MESSAGES_UPDATE, SEND_MESSAGE, "
                "CONNECTION_UPDATE, STATUS_INSTANCE, QRCODE_UPDATED and LOGOUT_INSTANCE.",
                "Leave Webhook Base64 off, and save.",
            ),
        ),
        GatewayKind(
            "cloud_api",
            "WhatsApp Cloud API (Meta)",
            "Phone number ID",
            "Meta shows it under WhatsApp, API Setup. It is not the phone number.",
            True,
            "https://graph.facebook.com/v23.0",
            False,
            (
                Secret("access_token", "Access token", "A permanent token of a system user."),
                Secret("app_secret", "App secret", "Meta shows it under App settings, Basic."),
                Secret("verify_token", "Verify token", "A text of your own. You enter it at Meta beside the address."),
            ),
            "elsewhere",
            (
                "Open your app in Meta's dashboard, and then WhatsApp, Configuration, Webhook.",
                "Enter this address as the callback URL, and the verify token of this phone.",
                "Subscribe to messages, account_update, account_alerts, phone_number_quality_update, "
                "business_capability_update, user_preferences, message_template_status_update and "
                "message_template_quality_update.",
            ),
        ),
        GatewayKind(
            "simulator",
            "Simulator – nothing is really sent",
            "Account",
            "Empty: the phone's API ID.",
            False,
            "",
            False,
            (),
            "none",
            ("The simulator sets its webhook by itself.",),
        ),
    )
}
"""In the order in which the forms offer them."""


def gateway_name(driver: str) -> str:
    """The short name of a gateway, such as `WAHA`."""
    kind = KINDS.get(driver)
    return kind.name.partition(" (")[0].partition(" – ")[0] if kind else driver
