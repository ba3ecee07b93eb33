"""Large bodies: a child process parses them. Otherwise they would hold up the event loop, which also serves replies."""

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
"""A function that parses a body. The child process imports it by its name. Its result must be quick to unpickle."""

PARSE_SECONDS = 20.0
"""If the child process has not parsed a body after this time, another child process replaces it."""


class LargeBodies:
    """A component with a child process. The component starts the child at its own start, and starts another child if
    the first one has ended."""

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
        """The result of `parse` for a body. The child process parses a large body, and this process parses a small one.
        Raises the problem `unavailable` if the child process fails."""
        if len(body) <= SMALL_BYTES:
            return parse(bytes(body))
        try:
            return await self._child.call(parse, body)
        except (OSError, asyncio.IncompleteReadError, RuntimeError) as error:
            kind = str(error).partition(":")[0] or type(error).__name__  # the rest may contain a part of the body
            log.error("a large body could not be read; replied 503", error=kind)
            raise refused("failed", "the process that reads large bodies failed") from error
