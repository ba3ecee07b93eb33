"""Cloud API webhook: subscribes our app to a WhatsApp Business Account, with the profile's own webhook address.

Meta calls the address during the subscription (`hub.challenge`) and refuses an address that does not answer. The
address then serves all numbers of the account: the ingress finds the profile by the phone number id in each report.
"""

from collections.abc import Sequence
from typing import Any

from sender.gateways.credentials import Keyring
from sender.gateways.http_client import CallOutcome, GatewayCall, GatewayClient, HttpResponse
from sender.gateways.linked_device import base_url
from sender.linking.linker import LINK_CALL_SECONDS, Step, WebhookResult, failed_step, is_success
from spreader.contract.configuration import Profile
from spreader.text.clean_text import clean

ACCOUNTS_MAX = 20
"""The most WhatsApp Business Accounts that are searched for the number."""
NOT_FOUND = (
    "Meta does not say which WhatsApp Business Account has this number. Give its id as `waba_id`. WhatsApp Manager "
    "shows it in the account's settings"
)


class CloudApiWebhookSetter:
    def __init__(self, client: GatewayClient, keyring: Keyring) -> None:
        self._client = client
        self._keyring = keyring

    async def set_webhook(self, profile: Profile, url: str, restart: bool, waba_id: str | None) -> WebhookResult:
        account = waba_id or await self._account_of(profile)
        if account is None:
            return WebhookResult([Step("business account", False, NOT_FOUND)])
        found = Step("business account", True, clean(f"the number belongs to the account {account}"))
        path = f"/{account}/subscribed_apps"
        body = {"override_callback_uri": url, "verify_token": self._keyring.of(profile)["verify_token"]}
        outcome = await self._call(profile, "POST", path, body)
        if not is_success(outcome):
            return WebhookResult([found, failed_step("set", outcome)])
        shown = await self._call(profile, "GET", path)
        steps = [found, Step("set", True, "Meta has called the address and taken it"), _read_back(shown, url)]
        return WebhookResult(steps, call_due=True, no_call="")

    async def _account_of(self, profile: Profile) -> str | None:
        """The account with the profile's number, among those that the access token's system user has been assigned."""
        accounts = _ids(await self._call(profile, "GET", "/me/assigned_whatsapp_business_accounts?fields=id"))
        for account in accounts[:ACCOUNTS_MAX]:
            numbers = await self._call(profile, "GET", f"/{account}/phone_numbers?fields=id&limit=100")
            if profile.gateway.account in _ids(numbers):
                return account
        return None

    async def _call(self, profile: Profile, method: str, path: str, body: Any = None) -> CallOutcome:
        headers = {"Authorization": f"Bearer {self._keyring.of(profile)['access_token']}"}
        url = f"{base_url(profile)}{path}"
        return await self._client.call(GatewayCall(method, url, headers, json=body, seconds=LINK_CALL_SECONDS))


def _ids(outcome: CallOutcome) -> Sequence[str]:
    match outcome:
        case HttpResponse(200, {"data": [*items]}):
            ids = [str(item.get("id", "")) for item in items if isinstance(item, dict)]
            return [each for each in ids if each.isdecimal()]
        case _:
            return []


def _read_back(outcome: CallOutcome, url: str) -> Step:
    match outcome:
        case HttpResponse(200, {"data": [*apps]}):
            addresses = [app.get("override_callback_uri") for app in apps if isinstance(app, dict)]
            shown = url in addresses
            return Step("read back", shown, "Meta shows the address" if shown else "Meta does not show the address")
        case _:
            return failed_step("read back", outcome)
