"""Consent on the running system: suppressed recipients get no open message, however and whenever they opted out."""

from typing import Any

import pytest
from e2e.gateways import create_gateway_package, send_reply
from e2e.system import RunningSystem, eventually, recipients

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


async def _counts(system: RunningSystem, message_id: str) -> dict[str, int]:
    return (await system.ask("GET", f"/messages/{message_id}")).body["counts"]


async def _open(system: RunningSystem, package: str, people: list[str], prefer: str = "") -> dict[str, Any]:
    body = {"type": "text", "text": "Hello", "recipients": people}
    answer = await system.ask("POST", f"/packages/{package}/messages/open", body, Prefer=prefer)
    assert answer.status == 202, answer.body
    return answer.body


async def _suppressed(system: RunningSystem, message_id: str) -> set[str]:
    """The recipients whose deliveries the API shows as suppressed."""
    suppressed: set[str] = set()
    cursor = ""
    while True:
        page = (await system.ask("GET", f"/messages/{message_id}/deliveries?limit=200{cursor}")).body
        suppressed |= {delivery["recipient"] for delivery in page["data"] if delivery["status"] == "suppressed"}
        if page["next_cursor"] is None:
            return suppressed
        cursor = f"&cursor={page['next_cursor']}"


async def _sent_to(system: RunningSystem, message_id: str) -> set[str]:
    """The recipients of the message that reached the gateway."""
    return {line["recipient"] for line in await system.ledger(message_id)}


async def test_a_suppressed_recipient_of_an_open_campaign_is_not_sent_to(live: RunningSystem) -> None:
    await live.create_package("heeding", 3)
    people = recipients(3, 30_000_000)
    everywhere = await live.ask("POST", "/suppressions", {"recipients": people[:1]})
    listed = await live.ask(
        "POST", "/packages/heeding/suppressions/import", raw=f"phone\n{people[1]}\n".encode(), Content_Type="text/csv"
    )
    assert [(each.status, each.body["added"]) for each in (everywhere, listed)] == [(200, 1), (200, 1)]
    answer = await _open(live, "heeding", people)  # without a wait: a list is in force when its request returns
    assert (answer["suppressed"], sum(answer["distribution"].values())) == (2, 1)
    message_id = str(answer["message_id"])
    counts = await eventually(lambda: _counts(live, message_id), 60, lambda seen: seen["held"] + seen["released"] == 0)
    assert (counts["suppressed"], await _suppressed(live, message_id)) == (2, set(people[:2]))
    assert await _sent_to(live, message_id) == {people[2]}


async def test_a_customer_who_opts_out_while_held_gets_only_replies(live: RunningSystem) -> None:
    (profile,) = await live.create_package("leaving", 1)
    people = recipients(6, 31_000_000)
    message_id = str((await _open(live, "leaving", people))["message_id"])
    await eventually(lambda: _counts(live, message_id), 30, lambda seen: seen["held"] == 5)
    (first,) = await eventually(lambda: _sent_to(live, message_id), 30)
    leaving = next(each for each in people if each != first)
    wrote = await live.ask_simulator("POST", f"/customers/{leaving}/messages", {"profile": profile, "text": "إلغاء."})
    assert wrote.status < 300, wrote.body
    counts = await eventually(lambda: _counts(live, message_id), 30, lambda seen: seen["suppressed"] == 1)
    assert (counts["held"], await _suppressed(live, message_id)) == (4, {leaving})
    (row,) = (await live.ask("GET", f"/packages/leaving/suppressions?recipient={leaving}")).body["data"]
    assert row["source"] == "opt_out_word"
    bye = {"type": "text", "text": "You will hear no more from us.", "recipient": leaving}
    reply = await live.ask("POST", "/packages/leaving/messages/reply", bye)
    assert (reply.status, reply.body["status"]) == (200, "sent"), reply.body
    assert await _sent_to(live, message_id) == {first}


@pytest.mark.parametrize(
    ("listed", "writes"),
    [("5582999448232", "558299448232"), ("525512345678", "5215512345678"), ("541155551234", "5491155551234")],
)
async def test_stop_from_the_other_spelling_of_a_number_ends_its_messages(
    live: RunningSystem, listed: str, writes: str
) -> None:
    package = f"spelled_{listed}"
    profiles = await live.create_package(package, 2)
    wrote = await live.ask_simulator("POST", f"/customers/{writes}/messages", {"profile": profiles[1], "text": "Hi"})
    assert wrote.status < 300, wrote.body
    reply = {"type": "text", "text": "Hello", "recipient": listed}

    async def profile_used() -> str | None:
        return (await live.ask("POST", f"/packages/{package}/messages/reply", reply)).body.get("profile_used")

    assert await eventually(profile_used, 30, lambda used: used == profiles[1]) == profiles[1]
    await live.ask_simulator("POST", f"/customers/{writes}/messages", {"profile": profiles[0], "text": "STOP"})
    path = f"/packages/{package}/suppressions?recipient={listed}"
    await eventually(lambda: live.ask("GET", path), 30, lambda answer: len(answer.body["data"]) == 1)
    answer = await _open(live, package, [listed, writes])
    assert (answer["recipients"], answer["duplicates_removed"], answer["suppressed"]) == (1, 1, 1)
    message_id = str(answer["message_id"])
    await eventually(lambda: _suppressed(live, message_id), 30, lambda gone: gone == {listed})
    assert await _sent_to(live, message_id) == set()


async def test_a_package_that_starts_to_require_opt_ins_cancels_held_deliveries_to_the_others(
    live: RunningSystem,
) -> None:
    await live.create_package("asking", 1)
    people = recipients(8, 34_000_000)
    message_id = str((await _open(live, "asking", people))["message_id"])
    await eventually(lambda: _counts(live, message_id), 30, lambda seen: seen["held"] == 7)
    (first,) = await eventually(lambda: _sent_to(live, message_id), 30)
    held = [each for each in people if each != first]
    listed = await live.ask("POST", "/packages/asking/opt-ins", {"recipients": held[:3]})
    asking = await live.ask("PATCH", "/packages/asking", {"opted_in_only": True})
    assert (listed.status, asking.status) == (200, 200), (listed.body, asking.body)
    counts = await eventually(lambda: _counts(live, message_id), 30, lambda seen: seen["suppressed"] >= 4)
    assert (counts["held"], await _suppressed(live, message_id)) == (3, set(held[3:]))
    assert (await live.ask("DELETE", f"/packages/asking/opt-ins/{held[0]}")).status == 204
    await eventually(lambda: _counts(live, message_id), 30, lambda seen: seen["suppressed"] == 5)
    body = {"type": "text", "text": "Hello", "recipients": held}
    preview = (await live.ask("POST", "/packages/asking/messages/preview", body)).body
    assert (preview["recipients"], preview["suppressed"], sum(preview["distribution"].values())) == (7, 5, 2), preview
    assert await _sent_to(live, message_id) == {first}


async def test_recipients_suppressed_during_a_bulk_import_are_not_sent_to(live: RunningSystem) -> None:
    """At that time some deliveries are at the router, some are held, and some are still in the outbox."""
    await live.create_package("busy", 4)
    people = recipients(20_000, 32_000_000)
    message_id = str((await _open(live, "busy", people, prefer="respond-async"))["message_id"])
    leaving = people[7::97]
    answer = await live.ask("POST", "/packages/busy/suppressions", {"recipients": leaving})
    assert (answer.status, answer.body["added"]) == (200, len(leaving)), answer.body
    before = await _sent_to(live, message_id)

    async def done() -> tuple[set[str], int]:
        counts = await _counts(live, message_id)
        return await _suppressed(live, message_id) if counts["suppressed"] else set(), counts["suppressed"]

    gone, count = await eventually(done, 120, lambda seen: seen[1] >= len(set(leaving) - before))
    assert (gone, count) == (set(leaving) - before, len(set(leaving) - before))
    assert await _sent_to(live, message_id) & set(leaving) <= before
    assert len(gone) >= len(leaving) - 4


@pytest.mark.parametrize("driver", ["waha", "evolution"])
async def test_a_customer_whose_number_is_hidden_can_opt_out(live: RunningSystem, driver: str) -> None:
    """The gateway names the customer only by a hidden id. The receipt of a reply shows whose id it is."""
    package = f"hidden_{driver}"
    behaviour = {"lid": True, "lid_alone": True}
    (profile,) = await create_gateway_package(live, package, driver, 1, behaviour=behaviour)
    (person,) = recipients(1, 34_000_000 if driver == "waha" else 34_000_100)

    async def listed(path: str) -> list[dict[str, Any]]:
        return (await live.ask("GET", f"/packages/{package}/{path}")).body["data"]

    said = await live.ask_simulator("POST", f"/customers/{person}/messages", {"profile": profile, "text": "STOP"})
    assert said.status == 202, said.body
    (kept,) = await eventually(lambda: listed("hidden-messages"), 30)
    assert (kept["text"], person in kept["hidden_id"], await listed("suppressions")) == ("STOP", False, [])
    assert (await send_reply(live, package, {"type": "text", "text": "Hello"}, person)).status == 200
    (suppressed,) = await eventually(lambda: listed("suppressions"), 30)
    assert (suppressed["recipient"], suppressed["source"]) == (person, "opt_out_word")
    await eventually(lambda: listed("hidden-messages"), 30, lambda left: not left)
