"""Contents: one content of each kind, and how a test makes a driver send it."""

from typing import Any

from sender.core.gateway_answer import GatewayAnswer
from sender.gateways.driver import Driver
from sender.testing import reply, send_once
from sender.testing.gateway_server import GatewayServer, profile_at
from spreader.contract import configuration
from spreader.contract.content import CONTENT
from spreader.contract.events import ReplyDeliveryAssigned

CONTENTS: dict[str, Any] = {
    "text": {"type": "text", "text": "Hello!"},
    "image": {"type": "image", "media": {"media_id": "med_1"}, "caption": "Look"},
    "voice": {"type": "voice", "media": {"media_id": "med_2"}},
    "document": {"type": "document", "media": {"media_id": "med_3", "filename": "price.pdf"}, "caption": "Read"},
    "video": {"type": "video", "media": {"media_id": "med_4"}, "caption": "Watch"},
}
TEMPLATE: dict[str, Any] = {
    "type": "template",
    "template": {
        "name": "order_update",
        "language": "en_US",
        "components": [{"type": "body", "parameters": [{"type": "text", "text": "Ann"}]}],
    },
}
DRIVERS: list[configuration.Driver] = ["cloud_api", "waha", "evolution"]


def reply_with(content: Any, quote: str | None = None) -> ReplyDeliveryAssigned:
    return reply().model_copy(update={"content": CONTENT.validate_python(content), "quote": quote})


async def send(
    drivers: dict[str, Driver], server: GatewayServer, driver: configuration.Driver, content: Any, **more: Any
) -> GatewayAnswer:
    return await send_once(drivers[driver], reply_with(content, **more), profile_at(driver, server.base_url))
