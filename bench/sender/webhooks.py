"""Webhooks: signed receipts of the Cloud API, posted over several connections as fast as they are answered."""

import asyncio
import hashlib
import hmac
import json
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass

import uvloop

from bench import child
from bench.load import HOST, send_all
from spreader.clock import wall_now

GRACE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Webhooks:
    port: int
    path: str
    app_secret: str
    account: str
    deliveries: tuple[str, ...]
    connections: int
    seconds_max: float

    async def run(self) -> float:
        """Starts a process that posts the webhooks. Returns webhook calls per second. Each call reports one delivery as
        delivered. Raises MeasurementError if a call is refused, or if some calls are not sent within `seconds_max`."""
        answer = await child.ask("bench.sender.webhooks", asdict(self), self.seconds_max + GRACE_SECONDS)
        if answer["refused"]:
            raise child.MeasurementError(f"some webhooks were refused: {answer['refused']}")
        return len(self.deliveries) / answer["seconds"]


def _request(plan: Webhooks, delivery_id: str) -> bytes:
    status = {
        "id": f"wamid.{delivery_id}",
        "status": "delivered",
        "timestamp": str(int(wall_now().timestamp())),
        "recipient_id": "201500000000",
        "biz_opaque_callback_data": delivery_id,
    }
    metadata = {"display_phone_number": "15550783881", "phone_number_id": plan.account}
    value = {"messaging_product": "whatsapp", "metadata": metadata, "statuses": [status]}
    change = {"field": "messages", "value": value}
    body = json.dumps({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]}).encode()
    signature = hmac.new(plan.app_secret.encode(), body, hashlib.sha256).hexdigest()
    head = (
        f"POST {plan.path} HTTP/1.1\r\nHost: {HOST}:{plan.port}\r\nX-Hub-Signature-256: sha256={signature}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _run(plan: Webhooks) -> dict[str, object]:
    requests = iter([_request(plan, delivery_id) for delivery_id in plan.deliveries])
    answers = Counter[str]()
    began = time.monotonic()
    until = began + plan.seconds_max
    await asyncio.gather(
        *(send_all(plan.port, requests, until, answers, expected=200) for _ in range(plan.connections))
    )
    seconds = time.monotonic() - began
    taken = answers.pop("", 0)
    refused = dict(answers.most_common(3)) or ({} if taken == len(plan.deliveries) else {"late": 1})
    return {"seconds": seconds, "refused": refused}


def main() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(_run(Webhooks(**json.load(sys.stdin))))))


if __name__ == "__main__":
    main()
