"""Gateway opt-outs: suppresses recipients who have stopped the business's marketing messages in WhatsApp itself. The
failure class of a delivery shows this."""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass

from ingress.consent.consent_lists import ConsentListKey, ConsentLists
from spreader.contract.events import DeliveryOutcome
from spreader.erasure.postgres import outcome_fact
from spreader.http.problems import Problem


@dataclass(frozen=True, slots=True)
class GatewayOptOuts:
    consents: ConsentLists

    async def take(self, outcomes: Iterable[DeliveryOutcome]) -> None:
        for outcome in outcomes:
            if outcome.failure != "opted_out":
                continue
            key = ConsentListKey(outcome.package_id, "suppression")
            # A webhook may report the same failure. It has the same evidence, so the list changes only once.
            evidence = f"status/{outcome.gateway_message_id or outcome.delivery_id}"
            # If Kafka is away, the change is stored, and `publish_left_over` publishes it later.
            with contextlib.suppress(Problem):
                recipient, requested_at = outcome_fact(outcome)
                await self.consents.add(key, [recipient], "gateway", evidence, outcome.at, requested_at)
