"""Number changes: suppressions, the conversation and the contact follow a customer to the new number."""

from dataclasses import dataclass

from ingress.consent.consent_lists import ConsentLists
from ingress.core.reports import NumberChange
from spreader.http.service_client import ServiceClient, require_body


@dataclass(frozen=True, slots=True)
class NumberChanges:
    consents: ConsentLists
    router: ServiceClient
    pacer: ServiceClient

    async def take(self, package_id: str, change: NumberChange) -> None:
        """Raises the problem `unavailable` if the router or the pacer does not respond. Then the gateway calls again. A
        step that was done before has no second effect."""
        await self.consents.follow(change.recipient, change.new_recipient, change.evidence)
        routed = await self.router.query(
            f"/packages/{package_id}/conversations/{change.recipient}/new-number", {"recipient": change.new_recipient}
        )
        require_body(routed, "The router cannot continue conversations under a new number.")
        paced = await self.pacer.query(
            f"/packages/{package_id}/contacts/{change.recipient}/new-number",
            {"recipient": change.new_recipient, "at": change.at.isoformat()},
        )
        require_body(paced, "The pacer cannot continue contacts under a new number.")
