"""Consent over HTTP: changes of lists are published before the response; opt-out words suppress."""

import io
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import pytest
from openpyxl import Workbook
from sqlalchemy import text as sql

from ingress.consent import endpoint
from ingress.consent.consent_lists import POLL_SECONDS, ConsentListKey, ConsentLists
from ingress.testing import System
from spreader.contract.events import ConsentChanged, CustomerMessage

pytestmark = pytest.mark.postgres

ONE, TWO, THREE = "201000000011", "201000000012", "201000000013"
LIST = "/packages/pkg/suppressions"
HOOK = "/webhooks/simulator/pkg/a"


def words(text: str, message_id: str = "g1", sender: str = ONE) -> dict[str, Any]:
    return {
        "event": "message", "message_id": message_id, "from": sender, "type": "text", "text": text,
        "at": "2026-06-01T12:00:00Z",
    }  # fmt: skip


def told(system: System) -> list[tuple[str, str, str, bool, str]]:
    """What the others hear, oldest first."""
    events = system.bus.of(ConsentChanged)
    return [(each.package_id, each.recipient, each.kind, each.listed, each.source) for each in events]


async def listed(system: System, path: str = LIST) -> list[str]:
    return [row["recipient"] for row in (await system.http.get(path)).json()["data"]]


async def test_a_suppression_is_published_before_the_response(system: System) -> None:
    await system.package("a")
    first = await system.http.post(LIST, json={"recipients": [ONE, TWO, ONE]})
    assert (first.status_code, first.json()) == (200, {"package_id": "pkg", "added": 2, "already": 0})
    assert told(system) == [("pkg", ONE, "suppression", True, "api"), ("pkg", TWO, "suppression", True, "api")]
    again = await system.http.post(LIST, json={"recipients": [TWO, THREE]})
    assert again.json() == {"package_id": "pkg", "added": 1, "already": 1}
    assert told(system)[2:] == [("pkg", THREE, "suppression", True, "api")]


async def test_a_list_has_pages_and_can_be_filtered_by_a_number(system: System) -> None:
    await system.package("a")
    await system.http.post(LIST, json={"recipients": [THREE, ONE, TWO]})
    page = (await system.http.get(LIST, params={"limit": 2})).json()
    rest = (await system.http.get(LIST, params={"limit": 2, "cursor": page["next_cursor"]})).json()
    assert [row["recipient"] for row in page["data"] + rest["data"]] == [ONE, TWO, THREE]
    assert page["data"][0] == {"recipient": ONE, "since": "2026-06-01T12:00:00Z", "source": "api", "evidence": None}
    assert await listed(system, f"{LIST}?recipient={TWO}") == [TWO]
    assert await listed(system, f"{LIST}?recipient=201000000099") == []


async def test_a_removal_is_published(system: System) -> None:
    await system.package("a")
    await system.http.post(LIST, json={"recipients": [ONE]})
    assert (await system.http.delete(f"{LIST}/{ONE}")).status_code == 204
    assert (await system.http.delete(f"{LIST}/{ONE}")).status_code == 404
    assert told(system)[-1] == ("pkg", ONE, "suppression", False, "api")
    assert await listed(system) == []


async def test_each_change_of_an_entry_is_later_than_the_one_before(system: System) -> None:
    """Readers ignore an older change. Red before: the clock of a customer's phone could be behind the removal."""
    lists, key = ConsentLists(system.engine, system.bus, system.clock), ConsentListKey("pkg", "suppression")
    for minute in (0, -1, -2):
        await lists.add(key, [ONE], "opt_out_word", f"stop_{minute}", system.clock() + timedelta(minutes=minute))
        await lists.remove(key, ONE)
    times = [event.at for event in system.bus.of(ConsentChanged)]
    assert len(times) == 6
    assert times == sorted(set(times))


async def test_lists_are_independent(system: System) -> None:
    """A package's suppressions, those of all packages, and opt-ins: to opt in lifts no suppression."""
    await system.package("a")
    await system.http.post(LIST, json={"recipients": [ONE]})
    await system.http.post("/suppressions", json={"recipients": [TWO]})
    await system.http.post("/packages/pkg/opt-ins", json={"recipients": [ONE]})
    shown = [await listed(system, path) for path in (LIST, "/suppressions", "/packages/pkg/opt-ins")]
    assert shown == [[ONE], [TWO], [ONE]]
    assert told(system)[1:] == [("*", TWO, "suppression", True, "api"), ("pkg", ONE, "opt_in", True, "api")]


async def test_a_csv_file_is_imported_and_its_invalid_rows_are_listed(system: System) -> None:
    await system.package("a")
    await system.http.post(LIST, json={"recipients": [ONE]})
    text = f"\ufeffname;phone\r\nMona;+{ONE}\r\n\r\nOmar;{TWO}\r\nNobody;\r\nTwice;{TWO}\r\nLast;{THREE}"
    answer = await system.http.post(f"{LIST}/import", content=text.encode(), headers={"Content-Type": "text/csv"})
    assert (answer.status_code, answer.json()) == (200, {
        "package_id": "pkg", "rows": 5, "added": 2, "already": 2, "wrong": 1, "warnings": [],
        "errors": [
            {"line": 5, "code": "phone_number", "detail": "it is empty"}
        ],
    })  # fmt: skip
    assert await listed(system) == [ONE, TWO, THREE]
    assert [each[4] for each in told(system)] == ["api", "csv", "csv"]


async def test_a_file_whose_column_is_not_clear_changes_nothing_until_it_is_chosen(system: System) -> None:
    await system.package("a")
    text = f"Office,Home\n{ONE},{TWO}\n".encode()
    unclear = await system.http.post(f"{LIST}/import", content=text)
    assert (unclear.status_code, unclear.json()["code"]) == (409, "column-unclear")
    assert unclear.json()["columns"] == [
        {"column": 1, "name": "Office", "numbers": [ONE]},
        {"column": 2, "name": "Home", "numbers": [TWO]},
    ]
    assert told(system) == []
    missing = await system.http.post(f"{LIST}/import?column=Mobile", content=text)
    assert (missing.status_code, missing.json()["errors"][0]["pointer"]) == (422, "/query/column")
    assert (await system.http.post(f"{LIST}/import?column=home", content=text)).status_code == 200
    assert await listed(system) == [TWO]


async def test_ids_are_not_suppressed_in_place_of_people(system: System) -> None:
    await system.package("a")
    text = f"Record ID,First Name,Mobile Phone Number\n20100555,Mona,{ONE}\n20100556,Omar,{TWO}\n"
    assert (await system.http.post(f"{LIST}/import", content=text.encode())).json()["added"] == 2
    assert await listed(system) == [ONE, TWO]


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
async def test_a_line_ends_with_any_line_break(system: System, end: str) -> None:
    """Red before: the response to a file with a lone carriage return was 500."""
    await system.package("a")
    file = end.join(("\ufeffphone,name", f"{ONE},Mona", "", f"{TWO},Omar", "")).encode()

    async def pieces() -> AsyncGenerator[bytes]:
        for byte in file:
            yield bytes([byte])

    for content in (file, pieces()):
        answer = await system.http.post(f"{LIST}/import", content=content)
        assert (answer.status_code, answer.json()["rows"], answer.json()["wrong"]) == (200, 2, 0)
    assert await listed(system) == [ONE, TWO]


def workbook(*rows: list[Any]) -> bytes:
    file = io.BytesIO()
    book = Workbook()
    for row in rows:
        book.worksheets[0].append(row)
    book.save(file)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        f"الاسم;رقم الموبايل\r\nمنى;{ONE}\r\nعمر;{TWO}\r\n".encode("cp1256"),
        f"Name\tMobile\r\nZoë\t{ONE}\r\nمنى\t{TWO}\r\n".encode("utf-16"),
        f"sep=;\r\nName;Mobile\r\nMona, Omar;{ONE}\r\nAli;{TWO}\r\n".encode(),
        f"Name,Mobile\rMona,{ONE}\rOmar,{TWO}\r".encode(),
        f'Name,Mobile\n"Mona\nAli",{ONE}\nOmar,{TWO}\n'.encode(),
        workbook(["Name", "Mobile"], ["Mona", int(ONE)], ["Omar", f"+{TWO}"]),
    ],
    ids=["cp1256", "utf-16", "sep", "cr", "quoted line break", "xlsx"],  # a workbook has the time when it was made
)
async def test_a_list_is_imported_as_offices_write_it(system: System, content: bytes) -> None:
    await system.package("a")
    answer = await system.http.post(f"{LIST}/import", content=content)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["rows"], answer.json()["added"], answer.json()["wrong"]) == (2, 2, 0)
    assert await listed(system) == [ONE, TWO]


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (f"phone\n{ONE} / {TWO}\n{THREE}\n", [2]),
        (f"phone\n{THREE}\n{ONE};{TWO}\n", [3]),
        (f"name,phone\nMona,{THREE}\n" + "\n" * 30 + f"Omar,{ONE},{TWO}\n", [33]),
        (f'name,phone\n"Mona,{ONE}\nOmar,{THREE}\n', [2]),
        (f"name,phone\nMona,2.01E+11\nOmar,{THREE}\nAli,2024-01-15\n", [2, 4]),
    ],
)
async def test_a_row_that_is_not_one_number_is_wrong_with_its_line(
    system: System, content: str, lines: list[int]
) -> None:
    await system.package("a")
    body = (await system.http.post(f"{LIST}/import?column=phone", content=content.encode())).json()
    assert [error["line"] for error in body["errors"]] == lines
    assert await listed(system) == [THREE]


@pytest.mark.parametrize(
    "content", [b"%PDF-1.7", b"PK\x03\x04 torn", b"\xd0\xcf\x11\xe0\xa1", b"\x00\x01\x02", b"\xff\xfe\x00"]
)
async def test_what_is_no_list_is_refused(system: System, content: bytes) -> None:
    await system.package("a")
    answer = await system.http.post(f"{LIST}/import", content=content)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


async def test_a_list_that_is_too_large_is_refused(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    await system.package("a")
    monkeypatch.setattr(endpoint, "FILE_BYTES_MAX", 20)
    answer = await system.http.post(f"{LIST}/import", content=f"{ONE}\n{TWO}\n".encode())
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
    assert await listed(system) == []


async def test_a_large_file_is_imported_in_parts(system: System) -> None:
    rows = [f"2015{number:08}" for number in range(12_000)]
    answer = await system.http.post("/suppressions/import", content="\n".join(rows).encode())
    assert (answer.json()["rows"], answer.json()["added"]) == (12_000, 12_000)
    assert {each[1] for each in told(system)} == set(rows)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/packages/no/suppressions", b'{"recipients": ["201000000011"]}', 404),
        (LIST, b'{"recipients": []}', 422),
        (LIST, b'{"recipients": ["201000000011", "no"]}', 422),
        (LIST, b'{"recipients": ["201000000011"], "why": 1}', 422),
        (LIST, b"{", 400),
        ("/packages/no/opt-ins/import", b"201000000011", 404),
        (f"{LIST}/import", b"\xff\xfe\x00", 400),
        (f"{LIST}/import", b"1" * 20_000, 400),
    ],
)
async def test_invalid_requests_are_refused(system: System, path: str, body: bytes, status: int) -> None:
    await system.package("a")
    answer = await system.http.post(path, content=body)
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    if b'"no"' in body:
        assert [each["pointer"] for each in answer.json()["errors"]] == ["/recipients/1"]
    assert told(system) == []


async def test_an_opt_out_is_stored_before_the_message_is_published(system: System) -> None:
    await system.package("a", opt_out_words=["Enough"])
    for number, text in enumerate(("When?", "STOP!", "enough.")):
        answer = await system.http.post(HOOK, json=words(text, f"g{number}", f"20100000001{number}"))
        assert answer.status_code == 200
    kinds = [type(event) for event in system.bus.published]
    assert kinds == [CustomerMessage, ConsentChanged, CustomerMessage, ConsentChanged, CustomerMessage]
    rows = (await system.http.get(LIST)).json()["data"]
    shown = [(row["recipient"], row["source"], row["evidence"]) for row in rows]
    assert shown == [(ONE, "opt_out_word", "a/g1"), (TWO, "opt_out_word", "a/g2")]


async def test_a_repeated_report_does_not_suppress_a_recipient_again(system: System) -> None:
    await system.package("a")
    await system.http.post(HOOK, json=words("stop"))
    await system.http.delete(f"{LIST}/{ONE}")
    await system.http.post(HOOK, json=words("stop"))
    assert await listed(system) == []
    await system.http.post(HOOK, json=words("stop", "g2"))
    assert await listed(system) == [ONE]


async def test_a_change_that_kafka_refuses_is_stored_and_published_later(system: System) -> None:
    await system.package("a")
    system.bus.away = True
    answers = [
        await system.http.post(LIST, json={"recipients": [TWO]}),
        await system.http.post(HOOK, json=words("stop")),
    ]
    assert [(answer.status_code, answer.headers["Retry-After"]) for answer in answers] == [(503, "2")] * 2
    assert (await listed(system), told(system)) == ([ONE, TWO], [])
    system.bus.away = False
    assert (await system.http.post(HOOK, json=words("stop"))).status_code == 200
    assert told(system) == [("pkg", ONE, "suppression", True, "opt_out_word")]


async def test_a_change_left_unpublished_by_a_crash_is_published_after_5_s(system: System) -> None:
    await system.package("a")
    system.bus.away = True
    await system.http.post(LIST, json={"recipients": [ONE, TWO]})
    system.bus.away = False
    consents = ConsentLists(system.engine, system.bus, system.clock)
    assert (await consents.publish_left_over(), told(system)) == (POLL_SECONDS, [])
    await _age(system)
    assert (await consents.publish_left_over(), len(told(system))) == (0.0, 2)
    assert await consents.publish_left_over() == POLL_SECONDS


async def _age(system: System) -> None:
    async with system.engine.begin() as connection:
        await connection.execute(sql("UPDATE ingress.consent SET changed_at = changed_at - interval '10 seconds'"))
