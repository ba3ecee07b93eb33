"""Phone file: the phones that an operator imports from a CSV or XLSX file, and the rows that are wrong."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from console.core.phones.gateway_kinds import KINDS
from console.core.phones.phone_form import read_new_phone

ROWS_MAX = 1_000
_SECRETS = tuple(dict.fromkeys(secret.name for kind in KINDS.values() for secret in kind.secrets))
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "/name": ("name", "phone name", "label"),
    "/phone": ("number", "phone", "phone number", "mobile", "whatsapp"),
    "/gateway/driver": ("gateway", "driver", "provider"),
    "/gateway/base_url": ("address", "gateway address", "base url", "url"),
    "/gateway/account": ("account", "session", "instance", "phone number id"),
    "/profile_id": ("api id", "id", "profile id", "phone id"),
    **{f"/gateway/credentials/{name}": (name.replace("_", " "),) for name in _SECRETS},
}
"""The names that a column may have in the first row, for each field."""
_NEEDED = {"/name": "name", "/phone": "number", "/gateway/driver": "gateway"}
_DRIVERS = {
    "waha": "waha", "evolution": "evolution", "evolution api": "evolution", "simulator": "simulator",
    "cloud": "cloud_api", "cloud api": "cloud_api", "whatsapp cloud api": "cloud_api", "meta": "cloud_api",
}  # fmt: skip
_SPACES = re.compile(r"[\s_-]+")


@dataclass(frozen=True, slots=True)
class WrongRow:
    line: int
    name: str
    why: str


@dataclass(frozen=True, slots=True)
class NewPhone:
    """A phone that can be created. `body`: the body of the request, with credentials."""

    line: int
    name: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PhoneFile:
    """`problem`: why no row can be read. `unused`: the columns that the console does not know."""

    phones: tuple[NewPhone, ...] = ()
    wrong: tuple[WrongRow, ...] = ()
    unused: tuple[str, ...] = ()
    problem: str = ""


def read_phone_file(
    rows: Iterable[tuple[int, Sequence[str]]], country: str | None, present: Mapping[str, str]
) -> PhoneFile:
    """`rows`: the line and the cells of each row. `present`: the names of the phones that the package has already, by
    number. A number that is listed twice is a wrong row."""
    filled = [(line, cells) for line, cells in rows if any(cell.strip() for cell in cells)]
    if not filled:
        return PhoneFile(problem="The file is empty.")
    heads = filled[0][1]
    fields = _fields(heads)
    missing = [name for pointer, name in _NEEDED.items() if pointer not in fields.values()]
    if missing:
        named = ", ".join(missing)
        return PhoneFile(problem=f"The first row must name the columns. Missing: {named}. Download the sample to see.")
    if len(filled) - 1 > ROWS_MAX:
        return PhoneFile(problem=f"A package has at most {ROWS_MAX:,} phones. Import fewer rows.")
    seen = {number: f"the package has it already, as {name}" for number, name in present.items()}
    phones, wrong = list[NewPhone](), list[WrongRow]()
    for line, cells in filled[1:]:
        typed = {fields[column]: cell.strip() for column, cell in enumerate(cells) if column in fields}
        reading = read_new_phone(_with_driver(typed), country)
        name, number = typed.get("/name", "") or typed.get("/phone", ""), reading.body.get("phone", "")
        reasons = _reasons(typed, reading.errors)
        if number in seen:
            reasons.append(f"{typed['/phone']}: {seen[number]}.")
        if reasons:
            wrong.append(WrongRow(line, name, " ".join(reasons)))
            continue
        seen[number] = f"line {line} has it too"
        phones.append(NewPhone(line, name, reading.body))
    unused = tuple(head.strip() for column, head in enumerate(heads) if head.strip() and column not in fields)
    return PhoneFile(tuple(phones), tuple(wrong), unused)


def sample_csv() -> str:
    """A file with one row for each kind of gateway, for the operator to change."""
    heads = ["name", "number", "gateway", "address", "account", *_SECRETS]
    rows: list[Mapping[str, str]] = [
        {"name": "Sales 1", "number": "+20 100 123 4567", "gateway": "waha", "address": "https://waha.example.com",
         "account": "sales-1", "api_key": "key of WAHA", "hmac_key": "a long text of your own"},
        {"name": "Sales 2", "number": "+20 100 123 4568", "gateway": "evolution",
         "address": "https://evolution.example.com", "account": "sales-2", "api_key": "key of Evolution",
         "webhook_token": "a long text of your own"},
        {"name": "Support", "number": "+20 100 123 4569", "gateway": "cloud_api", "account": "106540352242922",
         "access_token": "token of Meta", "app_secret": "app secret", "verify_token": "a text of your own"},
    ]  # fmt: skip
    out = io.StringIO()
    writer = csv.DictWriter(out, heads, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _fields(heads: Sequence[str]) -> dict[int, str]:
    """The field of each column whose name is known. If two columns have the same field, the first one counts."""
    names = {name: pointer for pointer, each in _COLUMNS.items() for name in each}
    fields: dict[int, str] = {}
    for column, head in enumerate(heads):
        pointer = names.get(_plain(head))
        if pointer is not None and pointer not in fields.values():
            fields[column] = pointer
    return fields


def _with_driver(typed: Mapping[str, str]) -> dict[str, str]:
    given = typed.get("/gateway/driver", "")
    return {**typed, "/gateway/driver": _DRIVERS.get(_plain(given), given)}


def _reasons(typed: Mapping[str, str], errors: Mapping[str, str]) -> list[str]:
    if "/gateway/driver" not in errors:
        return list(errors.values())
    given = typed.get("/gateway/driver", "")
    kinds = "waha, evolution, cloud_api or simulator"
    named = f"“{given[:40]}” is no gateway: write {kinds}." if given else f"Name the gateway: {kinds}."
    return [named if pointer == "/gateway/driver" else words for pointer, words in errors.items()]


def _plain(text: str) -> str:
    return _SPACES.sub(" ", text.strip().strip("\ufeff").casefold())
