"""Inbound messages: publishes customers' messages, and suppresses a customer who sends an opt-out word.

The suppression is stored before the message is published. So everything that is sent in response to the message
respects the suppression. If a step fails, the gateway gets an error and calls again.
"""

from dataclasses import dataclass

from ingress.configuration.config_cache import IngressConfigCache
from ingress.consent.consent_lists import ConsentListKey, ConsentLists
from ingress.core.opt_out import is_opt_out
from ingress.core.reports import NoAnswer
from ingress.metrics import OPT_OUTS
from spreader.contract.events import CustomerMessage
from spreader.kafka.bus import Bus


@dataclass(frozen=True, slots=True)
class InboundMessages:
    bus: Bus
    config_cache: IngressConfigCache
    consents: ConsentLists

    async def take(self, message: CustomerMessage) -> None:
        await self._suppress_if_opt_out(message.package_id, message.recipient, message.text, message.event_id)
        await self.bus.publish(message)

    async def take_no_answer(self, package_id: str, profile_id: str, report: NoAnswer) -> None:
        """A text that is no answer is not published, because readers count every published message as an answer."""
        evidence = f"{profile_id}/{report.gateway_message_id}"
        await self._suppress_if_opt_out(package_id, report.recipient, report.text, evidence)

    async def _suppress_if_opt_out(self, package_id: str, recipient: str, text: str | None, evidence: str) -> None:
        package = self.config_cache.require_package(package_id)
        if is_opt_out(text, package.opt_out_words):
            key = ConsentListKey(package_id, "suppression")
            OPT_OUTS.inc(await self.consents.add(key, [recipient], "opt_out_word", evidence))
