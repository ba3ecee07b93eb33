"""Tabs: open pages without a browser around them: they take what the console sends, and draw nothing."""

import ast
import asyncio
import json
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlencode

import aiohttp

from bench.child import Failed

LOADS_MAX = 5

_QUERY = re.compile(r"query: (\{.*?\}),\n", re.DOTALL)


@asynccontextmanager
async def tabs(session: aiohttp.ClientSession, address: str, path: str, count: int) -> AsyncGenerator[list[int]]:
    """So many, as long as the block lasts. Yields a list that counts the bytes that each was sent."""
    received = [0] * count
    reading = [asyncio.create_task(_read(session, address, path, received, place)) for place in range(count)]
    try:
        async with asyncio.timeout(60):
            while not all(received):
                await asyncio.sleep(0.1)
                if failed := [task for task in reading if task.done()]:
                    await failed[0]
        yield received
    finally:
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)


async def _read(session: aiohttp.ClientSession, address: str, path: str, received: list[int], place: int) -> None:
    """A page whose socket is lost loads anew, as in a browser."""
    for _ in range(LOADS_MAX):
        await _load(session, address, path, received, place)
    raise Failed(f"the console closed a page's socket {LOADS_MAX} times")


async def _load(session: aiohttp.ClientSession, address: str, path: str, received: list[int], place: int) -> None:
    """What NiceGUI's own script does: the page, then its socket with the page's query (Engine.IO 4, Socket.IO 5)."""
    async with session.get(address + path) as page:
        found = _QUERY.search(await page.text())
    if found is None:
        raise Failed("the page has no query for its socket: has NiceGUI changed?")
    asked = {**ast.literal_eval(found[1]), "document_id": f"document-{place}", "tab_id": f"tab-{place}"}
    asked |= {"implicit_handshake": "true", "EIO": "4", "transport": "websocket"}
    async with session.ws_connect(f"{address}/_nicegui_ws/socket.io/?{urlencode(asked)}", max_msg_size=0) as socket:
        await socket.send_str("40")
        heard = 0
        async for message in socket:
            text = str(message.data)
            if text == "2":
                await socket.send_str("3")
            if text.startswith("42"):
                received[place] += len(text)
                heard += 1
                if heard % 20 == 0:
                    ack = json.dumps(["ack", {"client_id": asked["client_id"], "next_message_id": heard}])
                    await socket.send_str(f"42{ack}")
