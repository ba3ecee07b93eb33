"""Explanation of a delivery over HTTP: a part from the router and a part from the pacer."""

from ingress.core.delivery_updates import from_open_assigned
from ingress.status.delivery_endpoint import EXPLANATION_EXAMPLE
from ingress.testing import System
from spreader.contract.content import TextContent
from spreader.contract.events import AssignedDelivery, OpenDeliveriesAssigned, OpenOptions
from spreader.contract.ids import delivery_id


async def test_an_explanation_has_a_part_from_router_and_pacer(system: System) -> None:
    await system.package("a")
    name = delivery_id("msg_1", "201000000011")
    assigned = OpenDeliveriesAssigned(
        package_id="pkg", message_id="msg_1", content=TextContent(type="text", text="Hello"), options=OpenOptions(),
        requested_at=system.clock(), strategy="round_robin",
        deliveries=(AssignedDelivery(delivery_id=name, recipient="201000000011", profile_id="a", index=4),),
    )  # fmt: skip
    await system.projection.fold_deliveries(from_open_assigned(assigned))
    system.router.responses["/messages/msg_1/routing?index=4"] = EXPLANATION_EXAMPLE["routing"] | {"profile_id": "a"}
    body = (await system.http.get(f"/deliveries/{name}/explain")).json()
    assert (body["status"], body["routing"]["profile_id"]) == ("held", "a")
    assert "does not respond" in body["pacing"]["note"]
    system.pacer.responses[f"/deliveries/{name}/explain"] = EXPLANATION_EXAMPLE["pacing"]
    body = (await system.http.get(f"/deliveries/{name}/explain")).json()
    assert body["pacing"] == EXPLANATION_EXAMPLE["pacing"]
    assert (await system.http.get("/deliveries/dlv_none/explain")).status_code == 404
