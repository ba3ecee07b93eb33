"""OpenAPI: schemathesis sends generated requests to a running system. Each answer is as the document says."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from e2e.generated_requests import GeneratedRequests, Outcome, send
from e2e.system import DOCUMENTS, KEY, RunningSystem, eventually

pytestmark = pytest.mark.e2e

VALID, INVALID = 6, 4
"""How many requests of each operation the document allows, and how many it does not."""
REFUSED_MAX = 17
"""How many valid requests may be refused. Some rules concern several fields, and a schema cannot state them."""
RECIPIENT = "201500000001"
ENDLESS = frozenset({"/api/v1/events"})
"""The event stream has no end."""


@pytest.mark.parametrize("service", ["ingress", "stats"])
async def test_generated_requests_get_documented_answers(
    live: RunningSystem, service: str, keep: Callable[[str, Mapping[str, Any]], None]
) -> None:
    package = f"generated_{service}"
    (profile, *_) = await live.create_package(package, 2)
    body = {"type": "text", "text": "Hello", "recipients": [RECIPIENT]}
    message = (await live.ask("POST", f"/packages/{package}/messages/open", body)).body["message_id"]
    (delivery,) = await eventually(lambda: live.delivery_ids(message), 60)
    known = {"package_id": package, "profile_id": profile, "recipient": RECIPIENT}
    known |= {"message_id": message, "delivery_id": delivery}  # the API waits for a message that may be new
    document = json.loads(DOCUMENTS[service].read_text())
    generated = GeneratedRequests(document, known, VALID, INVALID, ENDLESS)
    began = time.monotonic()
    outcome: Outcome = await asyncio.to_thread(send, generated, f"http://127.0.0.1:{live.ports[service]}", KEY)
    keep(
        f"generated-requests-{service}",
        {
            "requests": outcome.requests,
            "seconds": round(time.monotonic() - began, 1),
            "failures": len(outcome.failures),
            "valid_but_refused": len(outcome.refused),
        },
    )
    assert outcome.failures == []
    assert len(outcome.refused) <= REFUSED_MAX, outcome.refused
    assert outcome.requests >= (VALID + INVALID) * len(document["paths"]) / 2
