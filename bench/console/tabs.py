"""Tabs: open pages without a browser. They receive what the console sends, and render nothing."""

import ast
import asyncio
import json
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlencode

import aiohttp

from bench.child import MeasurementError

LOADS_MAX = 5

_QUERY = re.compile(r"query: (\{.*?\}),\n", re.DOTALL)


@asynccontextmanager
async def tabs(session: aiohttp.ClientSession, address: str, path: str, count: int) -> AsyncGenerator[list[int]]:
    """Keep `count` pages open. Yields a list with the number of bytes that each page has received so far."""
    received = [0] * count
    reading = [asyncio.create_task(_read(session, address, path, received, index)) for index in range(count)]
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


async def _read(session: aiohttp.ClientSession, address: str, path: str, received: list[int], index: int) -> None:
    """Reload the page when its socket closes, as a browser does."""
    for _ in range(LOADS_MAX):
        await _load(session, address, path, received, index)
    raise MeasurementError(f"the console closed a page's socket {LOADS_MAX} times")


async def _load(session: aiohttp.ClientSession, address: str, path: str, received: list[int], index: int) -> None:
    """Do what NiceGUI's script does: load the page, then open a socket with the query that the page contains. The
    protocols are Engine.IO 4 and Socket.IO 5."""
    async with session.get(address + path) as page:
        match = _QUERY.search(await page.text())
    if match is None:
        raise MeasurementError("the page has no query for its socket: has NiceGUI changed?")
    query = {**ast.literal_eval(match[1]), "document_id": f"document-{index}", "tab_id": f"tab-{index}"}
    query |= {"implicit_handshake": "true", "EIO": "4", "transport": "websocket"}
    async with session.ws_connect(f"{address}/_nicegui_ws/socket.io/?{urlencode(query)}", max_msg_size=0) as socket:
        await socket.send_str("40")
        messages = 0
        async for message in socket:
            text = str(message.data)
            if text == "2":
                await socket.send_str("3")
            if text.startswith("42"):
                received[index] += len(text)
                messages += 1
                if messages % 20 == 0:
                    ack = json.dumps(["ack", {"client_id": query["client_id"], "next_message_id": messages}])
                    await socket.send_str(f"42{ack}")
