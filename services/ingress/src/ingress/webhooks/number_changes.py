"""Number changes: suppressions and the conversation follow a customer to the new number."""

from dataclasses import dataclass

from ingress.consent.consent_lists import ConsentLists
from ingress.core.reports import NumberChange
from spreader.http.service_client import ServiceClient, require_body


@dataclass(frozen=True, slots=True)
class NumberChanges:
    consents: ConsentLists
    router: ServiceClient

    async def take(self, package_id: str, change: NumberChange) -> None:
        """Raises the problem `unavailable` if the router does not respond. Then the gateway calls again. A step that
        was done before has no second effect."""
        await self.consents.follow(change.recipient, change.new_recipient, change.evidence)
        path = f"/packages/{package_id}/conversations/{change.recipient}/new-number"
        response = await self.router.query(path, {"recipient": change.new_recipient})
        require_body(response, "The router cannot continue conversations under a new number.")
