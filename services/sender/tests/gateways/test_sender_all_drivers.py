"""All drivers: files, doubts, redirects, and the text that is kept of an error."""

import pytest

from sender.core.gateway_answer import SendAccepted, SendInDoubt, SendRefused
from sender.gateways.driver import Driver
from sender.testing import PHONE
from sender.testing.contents import CONTENTS, DRIVERS, send
from sender.testing.files import MemoryMedia
from sender.testing.gateway_server import SECRETS, GatewayServer, HangUp, Respond
from spreader.contract import configuration
from spreader.media.safe_fetch import MediaRefused, MediaUnavailable


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(
    ("error", "failure"), [(MediaRefused("a virus"), "content"), (MediaUnavailable("not reachable"), "transient")]
)
async def test_a_file_that_cannot_be_fetched_is_not_sent(
    drivers: dict[str, Driver],
    server: GatewayServer,
    files: MemoryMedia,
    driver: configuration.Driver,
    error: MediaUnavailable | MediaRefused,
    failure: str,
) -> None:
    files.error = error
    assert await send(drivers, server, driver, CONTENTS["image"]) == SendRefused(failure, str(error))  # pyright: ignore[reportArgumentType]
    assert server.requests == []


@pytest.mark.parametrize("driver", DRIVERS)
async def test_a_connection_that_breaks_after_the_request_is_a_doubt_without_lookup(
    drivers: dict[str, Driver], server: GatewayServer, driver: configuration.Driver
) -> None:
    server.will(HangUp())
    answer = await send(drivers, server, driver, CONTENTS["text"])
    assert isinstance(answer, SendInDoubt)
    assert not answer.can_ask
    assert len(server.sends) == 1


@pytest.mark.parametrize("driver", DRIVERS)
async def test_no_redirect_is_followed(
    drivers: dict[str, Driver], server: GatewayServer, driver: configuration.Driver
) -> None:
    server.will(Respond(307, None, {"Location": f"{server.base_url}/elsewhere"}))
    assert isinstance(await send(drivers, server, driver, CONTENTS["text"]), SendInDoubt)
    assert len(server.requests) == 1


@pytest.mark.parametrize("driver", DRIVERS)
async def test_the_detail_of_a_refusal_contains_no_token_and_no_number(
    drivers: dict[str, Driver], server: GatewayServer, driver: configuration.Driver
) -> None:
    token = SECRETS["cloud_api"]["access_token"]
    text = f"{PHONE} cannot be written to with {token}"
    body = {"error": {"code": 100, "message": text}, "message": text, "request": {"body": {"chatId": PHONE}}}
    server.will(Respond(400, body))
    answer = await send(drivers, server, driver, CONTENTS["text"])
    assert not isinstance(answer, SendAccepted)
    assert "cannot be written to" in str(answer)
    assert PHONE not in str(answer)
    assert token not in str(answer)
