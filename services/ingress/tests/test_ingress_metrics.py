"""Metrics: failed requests are counted by kind of problem."""

from prometheus_client import REGISTRY

from ingress.http.problems import KINDS
from ingress.testing import System


def counted(kind: str) -> float | None:
    return REGISTRY.get_sample_value("spreader_api_problems_total", {"kind": kind})


async def test_a_failed_request_is_counted_by_its_kind(system: System) -> None:
    before = {kind: counted(kind) for kind in KINDS}
    assert None not in before.values()
    assert (await system.http.get("/packages/nobody")).status_code == 404
    assert (await system.http.get("/packages")).status_code == 200
    after = {kind: counted(kind) for kind in KINDS}
    assert after == {**before, "not-found": (before["not-found"] or 0) + 1}
