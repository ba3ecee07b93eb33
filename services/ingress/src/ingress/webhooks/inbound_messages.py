"""Inbound messages: publishes customers' messages, and suppresses a customer who sends an opt-out word.

The suppression is stored before the message is published. So everything that is sent in response to the message
respects the suppression. If a step fails, the gateway gets an error and calls again.
"""

from dataclasses import dataclass
from datetime import datetime

from ingress.configuration.config_cache import IngressConfigCache
from ingress.consent.consent_lists import ConsentListKey, ConsentLists
from ingress.consent.possible_opt_outs import PossibleOptOuts
from ingress.core.opt_out import is_opt_out
from ingress.core.possible_opt_out import is_possible_opt_out
from ingress.core.reports import (
    CustomerReport,
    EditedMessage,
    InboundMessage,
    MarketingPreference,
    UnexpectedMessage,
)
from ingress.metrics import OPT_OUTS
from spreader.contract.events import CustomerMessage
from spreader.kafka.bus import Bus

WITHOUT_WORDS = frozenset({"reaction", "location", "contacts", "order"})
"""Kinds of messages whose text is no sentence of the customer, but an emoji, a name or an address."""


@dataclass(frozen=True, slots=True)
class InboundMessages:
    bus: Bus
    config_cache: IngressConfigCache
    consents: ConsentLists
    possible: PossibleOptOuts

    async def take_report(self, package_id: str, profile_id: str, report: CustomerReport) -> None:
        """Only an `InboundMessage` is published, because readers count every published message as an answer."""
        match report:
            case InboundMessage(message_id, recipient, kind, text, at):
                evidence, words = f"{profile_id}/{message_id}", None if kind in WITHOUT_WORDS else text
                await self._hear(package_id, profile_id, recipient, words, evidence, at)
                await self.bus.publish(
                    CustomerMessage(
                        package_id=package_id,
                        profile_id=profile_id,
                        recipient=recipient,
                        gateway_message_id=message_id,
                        kind=kind,
                        text=text,
                        at=at,
                    )
                )
            case EditedMessage(message_id, recipient, text, at) | UnexpectedMessage(message_id, recipient, text, at):
                await self._hear(package_id, profile_id, recipient, text, f"{profile_id}/{message_id}", at)
            case MarketingPreference():
                await self._apply_preference(package_id, report)

    async def _apply_preference(self, package_id: str, preference: MarketingPreference) -> None:
        """Adds a suppression if the customer chose `stop`. Lifts a suppression if the customer chose `resume`, but only
        one that a gateway's report added. If the person was erased after the choice, nothing is lifted, because the
        erasure may have kept the suppression."""
        key, at = ConsentListKey(package_id, "suppression"), preference.at
        if preference.stop:
            await self.consents.add(key, [preference.recipient], "gateway", preference.evidence, at, at)
        elif not await self.consents.is_erased(preference.recipient, at):
            await self.consents.remove_gateway_entry(key, preference.recipient, at)

    async def _hear(
        self, package_id: str, profile_id: str, recipient: str, text: str | None, evidence: str, at: datetime
    ) -> None:
        package = self.config_cache.require_package(package_id)
        words = (package.opt_out_words, package.opt_out_words_ignored)
        if is_opt_out(text, *words):
            key = ConsentListKey(package_id, "suppression")
            OPT_OUTS.inc(await self.consents.add(key, [recipient], "opt_out_word", evidence, reported_at=at))
        elif text is not None and is_possible_opt_out(text, *words):
            await self.possible.note(package_id, profile_id, recipient, text, evidence, at)
