"""Hidden ids: WAHA is asked for the number behind an id, and no other gateway is."""

from urllib.parse import unquote

import pytest

from sender.gateways.driver import Driver
from sender.gateways.hidden_ids import number_behind
from sender.testing.gateway_server import GatewayServer, Respond, profile_at
from spreader.contract import configuration

LID, PERSON = "199888777666@lid", "201000000011"


@pytest.mark.parametrize(
    ("status", "body", "number"),
    [
        (200, {"lid": LID, "pn": f"{PERSON}@c.us"}, PERSON),
        (200, {"lid": LID, "pn": None}, None),
        (200, {"lid": LID, "pn": LID}, None),
        (404, {"message": "not found"}, None),
        (500, {}, None),
    ],
)
async def test_waha_knows_the_number_behind_a_hidden_id(
    drivers: dict[str, Driver], server: GatewayServer, status: int, body: dict[str, object], number: str | None
) -> None:
    server.will(Respond(status, body))
    assert await number_behind(drivers, profile_at("waha", server.base_url), LID) == number
    (request,) = server.requests
    assert (request.method, unquote(request.path)) == ("GET", f"/api/default/lids/{LID}")
    assert request.headers["X-Api-Key"] == "secret-waha-key"


@pytest.mark.parametrize("driver", ["evolution", "cloud_api"])
async def test_other_gateways_are_not_asked(
    drivers: dict[str, Driver], server: GatewayServer, driver: configuration.Driver
) -> None:
    assert await number_behind(drivers, profile_at(driver, server.base_url), LID) is None
    assert server.requests == []
