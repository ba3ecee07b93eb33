"""Disconnect: the wait for a caller that closes its connection, used while a send hangs."""

from fastapi import Request


async def until_disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
