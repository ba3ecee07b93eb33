"""Cloud API webhook: our app is subscribed to the WhatsApp Business Account of the profile's number."""

import pytest

from sender.gateways.credentials import Keyring
from sender.gateways.http_client import GatewayClient
from sender.linking.cloud_api import CloudApiWebhookSetter
from sender.testing.gateway_server import KEYS, GatewayServer, Respond, profile_at

URL = "https://spreader.example.com/api/v1/webhooks/cloud_api/pkg/p1"
NUMBER = "106540352242922"
SUBSCRIBED = Respond(200, {"success": True})
SHOWN = Respond(200, {"data": [{"whatsapp_business_api_data": {"id": "1"}, "override_callback_uri": URL}]})


def ids(*each: str) -> Respond:
    return Respond(200, {"data": [{"id": name} for name in each]})


def calls(server: GatewayServer) -> list[str]:
    return [f"{request.method} {request.path}" for request in server.requests]


@pytest.fixture
def setter(client: GatewayClient) -> CloudApiWebhookSetter:
    return CloudApiWebhookSetter(client, Keyring(KEYS))


async def test_the_account_of_the_number_is_found_and_subscribed(
    setter: CloudApiWebhookSetter, server: GatewayServer
) -> None:
    server.will(ids("77", "88"), ids("1", "2"), ids("3", NUMBER), SUBSCRIBED, SHOWN)
    result = await setter.set_webhook(profile_at("cloud_api", server.base_url), URL, restart=False, waba_id=None)
    assert [(step.name, step.ok) for step in result.steps] == [
        ("business account", True), ("set", True), ("read back", True),
    ]  # fmt: skip
    assert (result.is_set, result.call_due) == (True, True)
    assert calls(server)[3] == "POST /88/subscribed_apps"
    assert server.requests[3].body == {"override_callback_uri": URL, "verify_token": "secret-verify"}
    assert all(request.headers["Authorization"].startswith("Bearer ") for request in server.requests)


async def test_a_given_account_is_not_searched(setter: CloudApiWebhookSetter, server: GatewayServer) -> None:
    server.will(SUBSCRIBED, SHOWN)
    await setter.set_webhook(profile_at("cloud_api", server.base_url), URL, restart=False, waba_id="99")
    assert calls(server) == ["POST /99/subscribed_apps", "GET /99/subscribed_apps"]


async def test_meta_may_not_say_which_account_has_the_number(
    setter: CloudApiWebhookSetter, server: GatewayServer
) -> None:
    server.will(Respond(400, {"error": {"message": "(#100) no such edge", "code": 100}}))
    result = await setter.set_webhook(profile_at("cloud_api", server.base_url), URL, restart=False, waba_id=None)
    assert [(step.name, step.ok) for step in result.steps] == [("business account", False)]
    assert "`waba_id`" in result.steps[0].detail


async def test_an_address_that_meta_cannot_reach(setter: CloudApiWebhookSetter, server: GatewayServer) -> None:
    error = {"message": "(#2200) Callback verification failed", "type": "OAuthException", "code": 2200}
    server.will(Respond(400, {"error": error}))
    result = await setter.set_webhook(profile_at("cloud_api", server.base_url), URL, restart=False, waba_id="99")
    assert (result.is_set, result.call_due) == (False, False)
    assert result.steps[1].detail == "the gateway answered with status 400: (#2200) Callback verification failed"
