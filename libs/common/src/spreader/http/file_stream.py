"""File stream: a response whose body is made while the client reads it."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

log = structlog.get_logger()


class FileStream(Response):
    """The pieces of a file, each sent when it is ready. The client always knows whether it got the whole file:

    - Nothing is sent before the first piece is ready. An error up to then becomes an ordinary problem.
    - After a later error the connection ends without the end of the body, which every client reports as an error.
    - When the client has gone, `pieces` is cancelled.

    At the end `pieces` is closed, and then `close` is called, even if no piece was ever requested.
    """

    def __init__(
        self,
        pieces: AsyncGenerator[bytes],
        media_type: str,
        headers: Mapping[str, str],
        close: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__(media_type=media_type, headers=headers)
        del self.headers["content-length"]
        self._pieces = pieces
        self._close = close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self._send(send))
        gone = asyncio.create_task(_wait_until_gone(receive))
        try:
            await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sending.cancel()
            gone.cancel()
            await asyncio.wait({sending, gone})
            self._close()
        if not sending.cancelled():
            sending.result()  # raises the error that came before the first piece

    async def _send(self, send: Send) -> None:
        async with contextlib.aclosing(self._pieces) as pieces:
            piece = await anext(pieces, b"")
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            try:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                async for piece in pieces:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            except Exception as error:
                log.error("a file failed while it was sent; cutting the connection to its reader", exc_info=error)
                return  # the server closes the connection of an incomplete response
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _wait_until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
