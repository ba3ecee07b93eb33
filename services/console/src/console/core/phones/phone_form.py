"""Phone form: what an operator typed about a phone and its gateway, as the body of a request. Each error is in the
operator's words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from console.core.phones.gateway_kinds import KINDS
from spreader.phone.dressed_number import NoNumber, read_number

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ACCOUNT = re.compile(r"[A-Za-z0-9_.@+-]{1,128}")
_ADDRESS = re.compile(r"https?://[^\s/]+\S*", re.IGNORECASE)
_SECRET = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,4094}[\x21-\x7e])?")
NAME_CHARACTERS_MAX = 200

BAD_ID = "Use letters, digits, - and _ only, and at most 64 of them."
BAD_ACCOUNT = "Use letters, digits and . _ @ + - only, without spaces."
BAD_ADDRESS = "Start with http:// or https://"
LOGIN_IN_ADDRESS = "Leave user and password out of the address: it is shown to all operators."
UNUSABLE_SIGN = "It has a sign that no key has, such as a line break. Copy it again."


@dataclass(frozen=True, slots=True)
class FormReading:
    """`errors`: by field, such as `/gateway/base_url`. If there are errors, `body` is not complete."""

    body: dict[str, Any]
    errors: Mapping[str, str] = field(default_factory=dict[str, str])


def read_new_package(typed: Mapping[str, str]) -> FormReading:
    errors: dict[str, str] = {}
    body: dict[str, Any] = {"name": _text(typed, "/name"), "timezone": _text(typed, "/timezone")}
    if wrong := _name_error(body["name"]):
        errors["/name"] = wrong
    if package_id := _text(typed, "/package_id"):
        body["package_id"] = package_id
        if not _ID.fullmatch(package_id):
            errors["/package_id"] = BAD_ID
    return FormReading(body, errors)


def read_new_phone(typed: Mapping[str, str], country: str | None, backup: bool = False) -> FormReading:
    """`typed`: the text of each field. `country`: the country whose national numbers are completed."""
    errors: dict[str, str] = {}
    body: dict[str, Any] = {"name": _text(typed, "/name")}
    if wrong := _name_error(body["name"]):
        errors["/name"] = wrong
    body["phone"], wrong = read_phone_number(_text(typed, "/phone"), country)
    if wrong:
        errors["/phone"] = wrong
    if profile_id := _text(typed, "/profile_id"):
        body["profile_id"] = profile_id
        if not _ID.fullmatch(profile_id):
            errors["/profile_id"] = BAD_ID
    if backup:
        body["backup"] = True
    gateway = read_gateway(typed, {})
    return FormReading({**body, "gateway": gateway.body}, {**errors, **gateway.errors})


def read_phone_number(text: str, country: str | None) -> tuple[str, str]:
    """The digits to dial, and what is wrong with the text. One of the two is empty."""
    if not text:
        return "", "Enter the phone number with its country code, such as +20 100 123 4567."
    found = read_number(text, country)
    if isinstance(found, NoNumber):
        return "", f"“{text[:40]}” is not a phone number: {found.reason}. Enter it with its country code."
    return found, ""


def read_gateway(typed: Mapping[str, str], stored: Mapping[str, Any]) -> FormReading:
    """`stored`: the gateway as the API shows it; empty for a new phone. A secret that is left empty stays as it is, if
    the kind of gateway and its address stay too."""
    driver = _text(typed, "/gateway/driver")
    kind = KINDS.get(driver)
    if kind is None:
        return FormReading({}, {"/gateway/driver": "Choose a gateway."})
    errors: dict[str, str] = {}
    body: dict[str, Any] = {"driver": driver}
    account, address = _text(typed, "/gateway/account"), _text(typed, "/gateway/base_url")
    if account:
        body["account"] = account
        if not _ACCOUNT.fullmatch(account):
            errors["/gateway/account"] = BAD_ACCOUNT
    elif kind.needs_account:
        errors["/gateway/account"] = f"Enter the {kind.account_label}. {kind.account_words}"
    if address and kind.address:
        body["base_url"] = address
        if not _ADDRESS.fullmatch(address):
            errors["/gateway/base_url"] = f"{BAD_ADDRESS}, such as {kind.address}."
        elif "@" in address.split("/")[2]:
            errors["/gateway/base_url"] = LOGIN_IN_ADDRESS
    elif kind.needs_address:
        errors["/gateway/base_url"] = f"Enter the address of your {kind.name}, such as {kind.address}."
    given = {secret.name: _text(typed, f"/gateway/credentials/{secret.name}") for secret in kind.secrets}
    keeps = driver == stored.get("driver") and (not address or address == stored.get("base_url"))
    for secret in kind.secrets:
        value, pointer = given[secret.name], f"/gateway/credentials/{secret.name}"
        if value and not _SECRET.fullmatch(value):
            errors[pointer] = UNUSABLE_SIGN
        elif not value and not keeps:
            again = " again, because the gateway is another one" if stored else ""
            errors[pointer] = f"Enter the {_lower(secret.label)}{again}."
    if any(given.values()):
        body["credentials"] = {name: value for name, value in given.items() if value}
    return FormReading(body, errors)


def error_words(detail: str) -> str:
    """What the API says about a field, with the console's word for a profile."""
    words = re.sub(r"\bprofile(s?)\b", r"phone\1", detail).replace("`", "").strip()
    return f"{words[:1].upper()}{words[1:]}" + ("" if words.endswith((".", "!", "?")) else ".")


def _name_error(name: str) -> str:
    if not name:
        return "Enter a name."
    return "" if len(name) <= NAME_CHARACTERS_MAX else f"Use at most {NAME_CHARACTERS_MAX} characters."


def _text(typed: Mapping[str, str], name: str) -> str:
    return (typed.get(name) or "").strip()


def _lower(label: str) -> str:
    """The label inside a sentence: `access token`, but `API key`."""
    return label if label[:2].isupper() else label[:1].lower() + label[1:]
