"""Lanes of a process: which components it has, and what its metrics show. Builds a sender, and starts nothing."""

from typing import Literal

import httpx
import pytest

from sender.app import build
from sender.metrics import LANES
from sender.settings import SenderSettings


@pytest.mark.parametrize(("lanes", "carried"), [("reply", {"reply"}), ("open", {"open"}), ("both", {"reply", "open"})])
async def test_a_process_waits_for_the_parts_of_its_lanes_only(
    lanes: Literal["reply", "open", "both"], carried: set[str]
) -> None:
    """`/health/ready` names every component. The metric shows the lanes, so that an alert finds a lane without any."""
    app = build(SenderSettings(sender_lanes=lanes))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        parts = (await client.get("/health/ready")).json()["reasons"]
        metrics = (await client.get("/metrics")).text
    assert {lane for lane in LANES if f"consumer of the {lane} lane" in parts} == carried
    assert {lane for lane in LANES if any(f"of the {lane} lane" in part for part in parts)} == carried
    shown = {f'spreader_sender_carried_lanes{{lane="{lane}"}} {float(lane in carried)}' for lane in LANES}
    assert shown <= set(metrics.splitlines())
    assert "consumer of receipts" in parts
