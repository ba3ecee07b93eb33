"""Large bodies: a child process reads them, so that they never hold up the event loop, on which replies are served."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

import structlog
from fastapi import Request

from ingress.http.body_turns import SMALL_BYTES, BodyTurns, refused
from ingress.http.request_body import SMALLER_BODY
from spreader.http.problems import Problem
from spreader.runtime.child_process import ChildProcess, command

log = structlog.get_logger()

T = TypeVar("T")
Parse = Callable[[bytes], T | Problem]
"""A function that reads a body. It must be importable by its name, and its result quick to unpickle."""

PARSE_SECONDS = 20.0
"""If the child has not read a body after this time, another child replaces it."""


class LargeBodies:
    """A component. It starts the child process when it starts itself, and starts another child when that one has
    ended."""

    name = "large bodies"

    def __init__(self, *modules: str) -> None:
        """`modules` have the functions that read bodies. The child imports them at its start."""
        self._child = ChildProcess(self.name, command(*modules), PARSE_SECONDS)
        self._turns = BodyTurns()

    async def start(self) -> None:
        await self._child.launch()

    async def stop(self) -> None:
        await self._child.stop()

    def not_ready_reason(self) -> str | None:
        return None

    def is_live(self) -> bool:
        return True

    async def read(self, request: Request, bytes_max: int, parse: Parse[T], advice: str = SMALLER_BODY) -> T | Problem:
        """The request's body, as `parse` reads it. Raises problems as `BodyTurns.body` does."""
        async with self._turns.body(request, bytes_max, advice) as body:
            return await self.parse(parse, body)

    async def parse(self, parse: Parse[T], body: bytearray) -> T | Problem:
        """What `parse` reads in a body. Raises the problem `unavailable` if the child fails."""
        if len(body) <= SMALL_BYTES:
            return parse(bytes(body))
        try:
            return await self._child.call(parse, body)
        except (OSError, asyncio.IncompleteReadError, RuntimeError) as error:
            kind = str(error).partition(":")[0] or type(error).__name__  # the rest may contain a part of the body
            log.error("a large body could not be read; replied 503", error=kind)
            raise refused("failed", "the process that reads large bodies failed") from error
