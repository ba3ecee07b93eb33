"""Request load: messages that a separate process posts, at a fixed rate or one after the other.

At a fixed rate, each request is sent when it is due, even if earlier ones have no answer yet. The time of a request is
measured from when it was due. So it includes any wait for earlier requests in the ingress.
"""

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

import uvloop

from bench import child
from bench.load import HOST
from bench.messages import PACKAGE, customers, open_body, reply_body
from bench.system import KEY

GRACE_SECONDS = 90.0
REQUEST_SECONDS = 60.0
REFUSED_SHARE_MAX = 0.01
"""If a larger share of the requests fails, the measurement fails. Below this share, the times of failed requests count
like all others. So a few failures do not spoil a measurement of an hour."""
ALONE_SECONDS = 2.0
FRESH_SECONDS = 3.0


Lane = Literal["reply", "open"]


class RequestTimes(NamedTuple):
    began: float
    """When the first request was due, by `time.monotonic()`, which all processes of a machine share."""
    milliseconds: list[float]
    """For each request, the time from when it was due until its answer."""


@dataclass(frozen=True, slots=True)
class RequestLoad:
    port: int
    lane: Lane
    per_second: float | None
    """None: each request follows the answer to the one before."""
    count: int
    first: int
    """The number of the first recipient. No two loads share recipients."""

    async def run(self) -> RequestTimes:
        """Starts a process that posts the requests. Returns their times. Raises MeasurementError if too many
        requests fail."""
        seconds = self.count * ALONE_SECONDS if self.per_second is None else self.count / self.per_second
        answer = await child.ask("bench.turns.request_load", asdict(self), seconds + GRACE_SECONDS)
        if len(answer["refused"]) > REFUSED_SHARE_MAX * self.count:
            raise child.MeasurementError(f"some requests were refused: {answer['refused'][:3]}")
        return RequestTimes(answer["began"], answer["milliseconds"])


class _Connections:
    """Connections to the ingress, opened when needed and used again while they are fresh. The ingress of older commits
    closes a connection that has been idle for 5 s."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[tuple[float, asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def post(self, request: bytes) -> tuple[int, bytes]:
        reader, writer = await self._connection()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
        )
        body = await reader.readexactly(length)
        self._idle.append((time.monotonic(), reader, writer))
        return int(head.split(b" ", 2)[1]), body

    async def open_one(self) -> None:
        """Opens a connection before it is needed."""
        self._idle.append((time.monotonic(), *await asyncio.open_connection(HOST, self._port)))

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            since, reader, writer = self._idle.pop()
            if time.monotonic() - since < FRESH_SECONDS:
                return reader, writer
            writer.close()
        return await asyncio.open_connection(HOST, self._port)

    def close(self) -> None:
        for _, _, writer in self._idle:
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
    if load.per_second is None:
        await connections.open_one()  # so that the first time, like the others, does not include opening a connection
    refused, began = list[str](), time.monotonic()

    async def at(due: float, request: bytes) -> float:
        await asyncio.sleep(due - time.monotonic())
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                status, body = await connections.post(request)
        except (OSError, EOFError, TimeoutError) as error:
            refused.append(repr(error))
        else:
            if status not in (200, 202):
                refused.append(f"{status} {body.decode(errors='replace')[:300]}")
        return (time.monotonic() - due) * 1e3

    if load.per_second is None:
        taken = [await at(time.monotonic(), request) for request in requests]
    else:
        dues = (began + number / load.per_second for number in range(load.count))
        taken = await asyncio.gather(*(at(due, request) for due, request in zip(dues, requests, strict=True)))
    connections.close()
    return {"began": began, "milliseconds": taken, "refused": refused}


def main() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(_run(RequestLoad(**json.load(sys.stdin))))))


if __name__ == "__main__":
    main()
