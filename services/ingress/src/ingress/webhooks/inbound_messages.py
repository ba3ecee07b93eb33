"""Inbound messages: publishes customers' messages, and suppresses a customer who sends an opt-out word.

The suppression is stored before the message is published. So everything that is sent in response to the message
respects the suppression. If a step fails, the gateway gets an error and calls again.
"""

from dataclasses import dataclass

from ingress.configuration.config_cache import IngressConfigCache
from ingress.consent.consent_lists import ConsentListKey, ConsentLists
from ingress.core.opt_out import is_opt_out
from ingress.metrics import OPT_OUTS
from spreader.contract.events import CustomerMessage
from spreader.kafka.bus import Bus


@dataclass(frozen=True, slots=True)
class InboundMessages:
    bus: Bus
    config_cache: IngressConfigCache
    consents: ConsentLists

    async def take(self, message: CustomerMessage) -> None:
        package = self.config_cache.require_package(message.package_id)
        if is_opt_out(message.text, package.opt_out_words):
            key = ConsentListKey(message.package_id, "suppression")
            added = await self.consents.add(key, [message.recipient], "opt_out_word", message.event_id)
            OPT_OUTS.inc(added)
        await self.bus.publish(message)
