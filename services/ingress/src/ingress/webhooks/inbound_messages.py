"""Hearing: how a customer's message comes in, whichever gateway brings it.

An opt-out word puts the customer on the package's list of suppressions first, and the message is published after: what
is sent because of the message finds the suppression in force. A gateway that gets no answer reports again.
"""

from dataclasses import dataclass

from ingress.configuration.config_cache import IngressConfigCache
from ingress.consent.consent_lists import Consents, Scope
from ingress.core.opt_out import is_opt_out
from ingress.metrics import OPT_OUTS
from spreader.contract.events import CustomerMessage
from spreader.kafka.bus import Bus


@dataclass(frozen=True, slots=True)
class Hearing:
    bus: Bus
    configured: IngressConfigCache
    consents: Consents

    async def hear(self, message: CustomerMessage) -> None:
        package = self.configured.require_package(message.package_id)
        if is_opt_out(message.text, package.opt_out_words):
            scope = Scope(message.package_id, "suppression")
            added = await self.consents.add(scope, [message.recipient], "opt_out_word", message.event_id)
            OPT_OUTS.inc(added)
        await self.bus.publish(message)
