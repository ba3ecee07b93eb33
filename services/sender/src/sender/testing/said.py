"""Said: one content of each kind, and how a test has a driver send it."""

from typing import Any

from sender.core.gateway_answer import Answer
from sender.gateways.driver import Driver
from sender.testing import reply, try_once
from sender.testing.wires import Wire, reached_through
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


def saying(content: Any, quote: str | None = None) -> ReplyDeliveryAssigned:
    return reply().model_copy(update={"content": CONTENT.validate_python(content), "quote": quote})


async def send(
    drivers: dict[str, Driver], wire: Wire, driver: configuration.Driver, content: Any, **more: Any
) -> Answer:
    return await try_once(drivers[driver], saying(content, **more), reached_through(driver, wire.base_url))
