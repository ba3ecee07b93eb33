"""Call permit: the request is on its way before anything else runs."""

import asyncio
import io
import socket
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp
import pytest

from sender.gateways.call_permit import requiring
from sender.gateways.http_client import GatewayCall, GatewayClient, NoResponse
from sender.testing.gateway_server import GatewayServer, Respond


@dataclass
class Permit:
    """When the permit is given, `then` becomes the next thing that the event loop runs."""

    then: Callable[[], None]

    async def get(self) -> None:
        asyncio.get_running_loop().call_soon(self.then)


async def test_nothing_runs_between_the_permit_and_the_request(client: GatewayClient) -> None:
    """A process that dies in between would leave a doubt about a request that was never written."""
    written = asyncio.get_running_loop().create_future()

    def look() -> None:
        connection, _ = server.accept()
        with connection:
            connection.setblocking(False)
            try:
                written.set_result(connection.recv(65_536))
            except BlockingIOError:
                written.set_result(b"")

    with socket.create_server(("127.0.0.1", 0)) as server, requiring(Permit(look)):
        url = f"http://127.0.0.1:{server.getsockname()[1]}/messages"
        calling = asyncio.create_task(client.call(GatewayCall("POST", url, {}, json={"text": "Hello"})))
        assert (await written).endswith(b'{"text": "Hello"}')
        assert isinstance(await calling, NoResponse)


@pytest.mark.parametrize("size", [10, 20 * 1024 * 1024])
async def test_a_request_that_is_too_large_for_one_write_arrives_whole(
    client: GatewayClient, server: GatewayServer, size: int
) -> None:
    form = aiohttp.FormData()
    form.add_field("file", io.BytesIO(b"x" * size), filename="a.bin", content_type="application/octet-stream")
    server.script = [Respond(200, {})]
    with requiring(Permit(lambda: None)):
        await client.call(GatewayCall("POST", f"{server.base_url}/upload", {}, data=form, seconds=60))
    (request,) = server.requests
    assert len(request.form["file"]) == size
