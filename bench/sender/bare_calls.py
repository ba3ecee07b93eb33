"""Bare calls: the requests of the Cloud API driver, sent by aiohttp alone."""

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass

import aiohttp
import uvloop

from bench import child

GRACE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class BareCalls:
    url: str
    token: str
    count: int
    at_once: int
    seconds_max: float

    async def run(self) -> float:
        """Starts a process that sends the requests. Returns responses per second. Raises MeasurementError if a request
        fails, or if all together take longer than `seconds_max`."""
        return await child.ask("bench.sender.bare_calls", asdict(self), self.seconds_max + GRACE_SECONDS)


async def _run(plan: BareCalls) -> float:
    numbers = iter(range(plan.count))
    connector = aiohttp.TCPConnector(limit=plan.at_once)
    headers = {"Authorization": f"Bearer {plan.token}"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def worker() -> None:
            for number in numbers:
                body = {
                    "messaging_product": "whatsapp",
                    "recipient_type": "individual",
                    "to": f"2015{number:08}",
                    "type": "text",
                    "text": {"body": "Hello! Check out our new offers...", "preview_url": False},
                    "biz_opaque_callback_data": f"dlv_{number}",
                }
                async with session.post(plan.url, json=body) as response:
                    await response.read()
                    response.raise_for_status()

        began = time.monotonic()
        async with asyncio.timeout(plan.seconds_max):
            await asyncio.gather(*(worker() for _ in range(plan.at_once)))
        return plan.count / (time.monotonic() - began)


def main() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(_run(BareCalls(**json.load(sys.stdin))))))


if __name__ == "__main__":
    main()
