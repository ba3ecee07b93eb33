"""Disconnect: waits until a caller closes its connection. The simulator does so while a send hangs."""

from fastapi import Request


async def until_disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
