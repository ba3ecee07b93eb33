"""The list of possible opt-outs: which messages put a person on it, and what an operator's decision changes."""

from typing import Any

import pytest
from prometheus_client import REGISTRY

from ingress.consent.possible_opt_outs import PossibleOptOuts
from ingress.testing import System
from spreader.contract.events import ConsentChanged, CustomerMessage

pytestmark = pytest.mark.postgres

ONE, TWO = "201000000011", "201000000012"
LIST = "/packages/pkg/possible-opt-outs"
HOOK = "/webhooks/simulator/pkg/a"


async def write(system: System, text: str, message_id: str = "g1", sender: str = ONE, kind: str = "text") -> None:
    body: dict[str, Any] = {
        "event": "message", "message_id": message_id, "from": sender, "type": kind, "text": text,
        "at": "2026-06-01T12:00:00Z",
    }  # fmt: skip
    assert (await system.http.post(HOOK, json=body)).status_code == 200


async def listed(system: System) -> list[tuple[str, str]]:
    return [(row["recipient"], row["text"]) for row in (await system.http.get(LIST)).json()["data"]]


async def suppressed(system: System) -> list[tuple[str, str]]:
    rows = (await system.http.get("/packages/pkg/suppressions")).json()["data"]
    return [(row["recipient"], row["source"]) for row in rows]


async def test_a_message_that_probably_asks_for_an_end_puts_the_person_on_the_list(system: System) -> None:
    await system.package("a")
    await write(system, "Stop. Thank you")
    await write(system, "When does it come?", "g2", TWO)
    assert (await suppressed(system), len(system.bus.of(CustomerMessage))) == ([], 2)
    (row,) = (await system.http.get(LIST)).json()["data"]
    assert row == {"recipient": ONE, "profile_id": "a", "text": "Stop. Thank you", "at": "2026-06-01T12:00:00Z"}
    possible = PossibleOptOuts(system.engine, system.consents)
    await possible.count()
    assert REGISTRY.get_sample_value("spreader_undecided_opt_outs") == 1


async def test_suppress_ends_the_entry_and_is_published(system: System) -> None:
    await system.package("a")
    await write(system, "STOP STOP")
    assert (await system.http.post(f"{LIST}/{ONE}/suppress")).status_code == 204
    assert (await listed(system), await suppressed(system)) == ([], [(ONE, "possible_opt_out")])
    assert [each.listed for each in system.bus.of(ConsentChanged)] == [True]
    assert (await system.http.post(f"{LIST}/{ONE}/suppress")).status_code == 404


async def test_a_dismissed_person_comes_back_only_with_another_message(system: System) -> None:
    await system.package("a")
    await write(system, "stop promo")
    assert (await system.http.post(f"{LIST}/{ONE}/dismiss")).status_code == 204
    await write(system, "stop promo")  # the gateway repeats its call
    assert (await listed(system), await suppressed(system)) == ([], [])
    assert (await system.http.post(f"{LIST}/{ONE}/dismiss")).status_code == 404
    await write(system, "إلغاء اشتراك", "g2")
    assert await listed(system) == [(ONE, "إلغاء اشتراك")]


async def test_a_suppressed_person_needs_no_decision(system: System) -> None:
    await system.package("a")
    await write(system, "stop promo")
    await write(system, "stop promo", "g2", TWO)
    await write(system, "STOP", "g3")
    await system.http.post("/suppressions", json={"recipients": [TWO]})
    assert await listed(system) == []


async def test_the_forms_of_one_number_are_one_entry(system: System) -> None:
    await system.package("a")
    await write(system, "stop stop", "g1", "558299448232")
    await write(system, "stop stop", "g2", "5582999448232")
    assert await listed(system) == [("5582999448232", "stop stop")]
    assert (await system.http.post(f"{LIST}/558299448232/suppress")).status_code == 204


@pytest.mark.parametrize("decision", ["suppress", "dismiss"])
async def test_a_decision_names_the_person_by_the_national_number(system: System, decision: str) -> None:
    await system.package("a", default_country="BR")
    await write(system, "stop stop", "g1", "558299448232")
    assert (await system.http.post(f"{LIST}/082999448232/{decision}")).status_code == 204
    assert await listed(system) == []


async def test_a_decision_needs_a_number_with_a_country(system: System) -> None:
    await system.package("a")
    answer = await system.http.post(f"{LIST}/082999448232/suppress")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/path/recipient")


async def test_the_list_has_pages(system: System) -> None:
    await system.package("a")
    for number in range(3):
        await write(system, "stop it", f"g{number}", f"20100000001{number}")
    page = (await system.http.get(LIST, params={"limit": 2})).json()
    rest = (await system.http.get(LIST, params={"limit": 2, "cursor": page["next_cursor"]})).json()
    assert [row["recipient"][-1] for row in page["data"] + rest["data"]] == ["0", "1", "2"]
    assert (await system.http.get("/packages/no/possible-opt-outs")).status_code == 404


async def test_a_word_that_the_package_ignores_is_no_opt_out(system: System) -> None:
    await system.package("a", opt_out_words_ignored=["Cancel"])
    await write(system, "CANCEL", kind="button")
    await write(system, "cancel please", "g2")
    assert (await suppressed(system), await listed(system)) == ([], [])
    await write(system, "stop", "g3", TWO)
    assert await suppressed(system) == [(TWO, "opt_out_word")]


@pytest.mark.parametrize("kind", ["reaction", "location", "contacts"])
async def test_a_name_or_an_emoji_is_no_sentence(system: System, kind: str) -> None:
    await system.package("a")
    await write(system, "Stop stop", kind=kind)
    await write(system, "Stop", "g2", kind=kind)
    assert (await listed(system), await suppressed(system)) == ([], [])
