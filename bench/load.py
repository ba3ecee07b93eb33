"""Load: posts open messages over several connections. Each connection sends its next request when a response arrives.

It uses no HTTP library, because on a machine with two cores the client's work takes time from the server. A slow client
would slow down our server and the bare one alike, and so hide the difference between them. Here a request costs the
client one write and two reads.
"""

import asyncio
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import uvloop

from bench import child
from bench.messages import PACKAGE, customers, open_body

HOST = "127.0.0.1"
PATH = f"/api/v1/packages/{PACKAGE}/messages/open"
ACCEPTED = 202
GRACE_SECONDS = 30.0
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Load:
    port: int
    key: str
    connections: int
    requests: int
    recipients: int
    """Recipients per request."""
    first: int
    """The number of the first recipient. No two requests share recipients."""
    seconds_max: float

    async def run(self) -> "LoadResult":
        """Starts a process that posts the requests. Raises MeasurementError if a request was refused."""
        answer = await child.ask("bench.load", asdict(self), self.seconds_max + GRACE_SECONDS)
        if answer["refused"]:
            raise child.MeasurementError(f"of {self.requests} requests some were refused: {answer['refused']}")
        return LoadResult(answer["requests"], answer["began"], answer["seconds"])


@dataclass(frozen=True, slots=True)
class LoadResult:
    requests: int
    began: float
    """The time of the first request, by `time.monotonic()`, which all processes of a machine share."""
    seconds: float


def _request(load: Load, number: int) -> bytes:
    body = open_body(customers(load.first + number * load.recipients, load.recipients))
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: {HOST}:{load.port}\r\nAuthorization: Bearer {load.key}\r\n"
        f"Prefer: respond-async\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def send_all(port: int, requests: Iterator[bytes], until: float, answers: Counter[str], expected: int) -> None:
    """Send requests one after the other over one connection, until the monotonic time `until`.

    `answers` counts the responses. A response with the status `expected` is counted under the key "". Any other
    response is counted under its status and body.
    """
    reader, writer = await asyncio.open_connection(HOST, port)
    for request in requests:
        if time.monotonic() > until:
            break
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        body = await reader.readexactly(int(length[1]) if length else 0)
        status = int(head.split(b" ", 2)[1])
        answers["" if status == expected else f"{status} {body.decode(errors='replace')[:300]}"] += 1
    writer.close()
    await writer.wait_closed()


async def _run(load: Load) -> dict[str, Any]:
    prepared = iter([_request(load, number) for number in range(load.requests)])
    answers = Counter[str]()
    began = time.monotonic()
    until = began + load.seconds_max
    await asyncio.gather(*(send_all(load.port, prepared, until, answers, ACCEPTED) for _ in range(load.connections)))
    seconds = time.monotonic() - began
    accepted = answers.pop("", 0)
    return {"requests": accepted, "began": began, "seconds": seconds, "refused": dict(answers.most_common(3))}


def main() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(_run(Load(**json.load(sys.stdin))))))


if __name__ == "__main__":
    main()
