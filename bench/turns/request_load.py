"""Request load: messages posted at a fixed rate by a process of their own, each timed from when it was due.

Counting from the due time includes the wait that a slow answer causes for the next request.
"""

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any, Literal

import uvloop

from bench import child
from bench.load import HOST
from bench.messages import PACKAGE, customers, open_body, reply_body
from bench.system import KEY

GRACE_SECONDS = 30.0
REQUEST_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class RequestLoad:
    port: int
    lane: Literal["reply", "open"]
    per_second: float
    seconds: float
    first: int
    """The number of the first recipient. No two loads share recipients."""

    @property
    def count(self) -> int:
        return max(1, round(self.per_second * self.seconds))

    async def run(self) -> list[float]:
        """Runs in its own process; returns the milliseconds of each request. Raises MeasurementError if one fails."""
        answer = await child.ask("bench.turns.request_load", asdict(self), self.seconds + GRACE_SECONDS)
        if answer["refused"]:
            raise child.MeasurementError(f"some requests were refused: {answer['refused'][:3]}")
        return answer["milliseconds"]


class _Connections:
    """Connections to the ingress, opened when needed and used again."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def post(self, request: bytes) -> tuple[int, bytes]:
        reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection(HOST, self._port)
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
        )
        body = await reader.readexactly(length)
        self._idle.append((reader, writer))
        return int(head.split(b" ", 2)[1]), body

    def close(self) -> None:
        for _, writer in self._idle:
            writer.close()


def _request(load: RequestLoad, number: int) -> bytes:
    people = customers(load.first + number, 1)
    body = reply_body(people[0]) if load.lane == "reply" else open_body(people)
    prefer = "" if load.lane == "reply" else "Prefer: respond-async\r\n"
    head = (
        f"POST /api/v1/packages/{PACKAGE}/messages/{load.lane} HTTP/1.1\r\nHost: {HOST}:{load.port}\r\n"
        f"Authorization: Bearer {KEY}\r\n{prefer}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _run(load: RequestLoad) -> dict[str, Any]:
    connections = _Connections(load.port)
    requests = [_request(load, number) for number in range(load.count)]
    refused, began = list[str](), time.monotonic()

    async def at(due: float, request: bytes) -> float:
        await asyncio.sleep(due - time.monotonic())
        async with asyncio.timeout(REQUEST_SECONDS):
            status, body = await connections.post(request)
        if status not in (200, 202):
            refused.append(f"{status} {body.decode(errors='replace')[:300]}")
        return (time.monotonic() - due) * 1e3

    taken = await asyncio.gather(
        *(at(began + number / load.per_second, request) for number, request in enumerate(requests))
    )
    connections.close()
    return {"milliseconds": taken, "refused": refused}


def main() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(_run(RequestLoad(**json.load(sys.stdin))))))


if __name__ == "__main__":
    main()
