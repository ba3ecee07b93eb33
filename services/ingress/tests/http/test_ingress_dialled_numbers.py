"""Numbers that begin with 0: refused, or completed with the country of the package."""

from typing import Any

import pytest
from sqlalchemy import text as sql

from ingress.testing import System
from spreader.contract.events import ConsentChanged, OpenMessageRequested, ReplyMessageRequested
from spreader.contract.ids import conversation_id

pytestmark = pytest.mark.postgres

INTERNATIONAL, NATIONAL, DIALLED_ABROAD = "201001234567", "01001234567", "00201001234567"
PACKAGE = "/packages/pkg"
LIST = f"{PACKAGE}/suppressions"
HELLO: dict[str, Any] = {"type": "text", "text": "Hello"}
ASYNC = {"Prefer": "respond-async"}
REQUESTS: list[tuple[str, str, dict[str, Any], str]] = [
    ("POST", f"{PACKAGE}/messages/open", {**HELLO, "recipients": [INTERNATIONAL, NATIONAL]}, "/recipients/1"),
    ("POST", f"{PACKAGE}/messages/preview", {**HELLO, "recipients": [DIALLED_ABROAD]}, "/recipients/0"),
    ("POST", f"{PACKAGE}/messages/reply", {**HELLO, "recipient": NATIONAL}, "/recipient"),
    ("POST", LIST, {"recipients": [INTERNATIONAL, NATIONAL]}, "/recipients/1"),
    ("POST", "/suppressions", {"recipients": [NATIONAL]}, "/recipients/0"),
    ("POST", f"{PACKAGE}/numbers/check", {"numbers": [NATIONAL]}, "/numbers/0"),
    ("GET", f"{LIST}?recipient={NATIONAL}", {}, "/query/recipient"),
    ("DELETE", f"{LIST}/{NATIONAL}", {}, "/path/recipient"),
    ("GET", f"{PACKAGE}/conversations/{NATIONAL}", {}, "/path/recipient"),
]


@pytest.mark.parametrize(("method", "path", "body", "pointer"), REQUESTS)
async def test_a_number_without_a_country_is_refused_by_name(
    system: System, method: str, path: str, body: dict[str, Any], pointer: str
) -> None:
    await system.package("a")
    answer = await system.http.request(method, path, json=body or None, headers=ASYNC)
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert (error["pointer"], error["code"]) == (pointer, "phone_number")
    assert "default_country" in error["detail"]
    assert system.bus.published == []


async def test_a_country_makes_one_person_of_three_spellings(system: System) -> None:
    await system.package("a", default_country="EG")
    body = {**HELLO, "recipients": [NATIONAL, INTERNATIONAL, DIALLED_ABROAD]}
    answer = await system.http.post(f"{PACKAGE}/messages/open", json=body, headers=ASYNC)
    assert (answer.json()["recipients"], answer.json()["duplicates_removed"]) == (1, 2)
    assert system.bus.of(OpenMessageRequested)[0].recipients == (INTERNATIONAL,)


async def test_a_reply_and_its_conversation_use_the_completed_number(system: System) -> None:
    await system.package("a", default_country="EG")
    body = {**HELLO, "recipient": NATIONAL}
    answer = await system.http.post(f"{PACKAGE}/messages/reply", json=body, headers=ASYNC)
    assert answer.json()["conversation_id"] == conversation_id("pkg", INTERNATIONAL)
    assert system.bus.of(ReplyMessageRequested)[0].recipient == INTERNATIONAL
    system.router.responses.clear()
    await system.http.get(f"{PACKAGE}/conversations/{NATIONAL}")
    assert system.router.queries[-1][0] == f"{PACKAGE}/conversations/{INTERNATIONAL}"


async def test_a_list_is_changed_and_read_in_any_spelling(system: System) -> None:
    await system.package("a", default_country="EG")
    added = await system.http.post(LIST, json={"recipients": [NATIONAL, DIALLED_ABROAD]})
    assert (added.json()["added"], added.json()["already"]) == (1, 0)
    csv = f"phone\n{NATIONAL}\n201009999999\n1001234568\n0990123\n"
    imported = (await system.http.post(f"{LIST}/import", content=csv.encode())).json()
    assert (imported["added"], imported["already"], imported["wrong"]) == (2, 1, 1)
    assert imported["errors"][0]["line"] == 5
    found = (await system.http.get(f"{LIST}?recipient={DIALLED_ABROAD}")).json()["data"]
    assert [entry["recipient"] for entry in found] == [INTERNATIONAL]
    assert (await system.http.delete(f"{LIST}/{NATIONAL}")).status_code == 204
    assert [(each.recipient, each.listed) for each in system.bus.of(ConsentChanged)][-1] == (INTERNATIONAL, False)


async def test_an_old_entry_that_begins_with_0_can_still_be_removed(system: System) -> None:
    await system.package("a")
    await system.http.post(LIST, json={"recipients": [INTERNATIONAL]})
    async with system.engine.begin() as connection:
        await connection.execute(sql("UPDATE ingress.consent SET recipient = :number"), {"number": NATIONAL})
    assert (await system.http.delete(f"{LIST}/{NATIONAL}")).status_code == 204


async def test_many_wrong_numbers_are_counted(system: System) -> None:
    await system.package("a", default_country="EG")
    wrong = [f"0990{number:04}" for number in range(600)]
    answer = await system.http.post(f"{PACKAGE}/messages/open", json={**HELLO, "recipients": wrong})
    assert (answer.status_code, len(answer.json()["errors"])) == (422, 50)
    assert answer.json()["detail"].endswith(f"(EG) (and {len(wrong) - 1} more)")


@pytest.mark.parametrize("country", ["XX", "eg", "Egypt", "", 20])
async def test_only_a_country_of_iso_3166_can_be_set(system: System, country: object) -> None:
    await system.package("a")
    answer = await system.http.patch(PACKAGE, json={"default_country": country})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/default_country"


async def test_the_country_can_be_set_and_removed(system: System) -> None:
    await system.package("a")
    assert (await system.http.get(PACKAGE)).json()["default_country"] is None
    for country in ("EG", None):
        answer = await system.http.patch(PACKAGE, json={"default_country": country})
        assert (answer.status_code, answer.json()["default_country"]) == (200, country)


async def test_a_profile_needs_an_international_number(system: System) -> None:
    await system.package("a")
    answer = await system.http.patch(f"{PACKAGE}/profiles/a", json={"phone": NATIONAL})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/phone")


async def test_implausible_numbers_are_imported_with_a_warning(system: System) -> None:
    await system.package("a")
    csv = f"phone\n{INTERNATIONAL}\n2010012345670\n+99 90000000\n"
    body = (await system.http.post(f"{LIST}/import", content=csv.encode())).json()
    assert (body["added"], body["wrong"]) == (3, 0)
    (warning,) = body["warnings"]
    assert (warning["code"], warning["count"]) == ("implausible_number", 2)
    assert warning["samples"] == [
        {"number": "2010012345670", "detail": "it is too long for its country"},
        {"number": "9990000000", "detail": "no country has this code"},
    ]


async def test_a_preview_warns_of_implausible_numbers(system: System) -> None:
    await system.package("a")
    system.router.responses["/preview"] = {
        "strategy": "random", "distribution": {"a": 2}, "passed_over": {}, "refused": None,
    }  # fmt: skip
    system.pacer.responses["/forecast"] = {
        "completion": None, "binds": "gap", "counted_until": None, "profiles": {}, "curve": [],
    }  # fmt: skip
    body = {**HELLO, "recipients": [INTERNATIONAL, "2010012345670"]}
    answer = (await system.http.post(f"{PACKAGE}/messages/preview", json=body)).json()
    assert answer["recipients"] == 2
    assert [(each["code"], each["count"]) for each in answer["warnings"]] == [("implausible_number", 1)]
