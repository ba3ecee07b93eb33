"""Ids: how each kind of id is created or derived."""

import base64
import hashlib
import os
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, NewType

from pydantic import Field, StringConstraints

PackageId = NewType("PackageId", str)
ProfileId = NewType("ProfileId", str)
DeliveryId = NewType("DeliveryId", str)
Recipient = NewType("Recipient", str)
"""A phone number in international form, digits only (`201001234567`)."""

RECIPIENT_DIGITS_MIN = 7
RECIPIENT_DIGITS_MAX = 15  # ITU-T E.164
RECIPIENT_PATTERN = rf"^[0-9]{{{RECIPIENT_DIGITS_MIN},{RECIPIENT_DIGITS_MAX}}}$"
INTERNATIONAL_PATTERN = rf"^[1-9][0-9]{{{RECIPIENT_DIGITS_MIN - 1},{RECIPIENT_DIGITS_MAX - 1}}}$"
CHOSEN_ID_PATTERN = r"^[A-Za-z0-9_-]{1,64}$"

Id = Annotated[str, StringConstraints(pattern=CHOSEN_ID_PATTERN)]
"""An id that a caller may choose: 1 to 64 letters, digits, `_` and `-`."""
PhoneNumber = Annotated[
    str, StringConstraints(pattern=RECIPIENT_PATTERN), Field(json_schema_extra={"pattern": INTERNATIONAL_PATTERN})
]
"""Digits. They may begin with 0, as national numbers do. The published schema has the form that every package takes."""
InternationalNumber = Annotated[str, StringConstraints(pattern=INTERNATIONAL_PATTERN)]
NO_COUNTRY_CODE = (
    "it begins with 0, so it has no country's code: add the code, or set `default_country` of the package, which then "
    "completes national numbers"
)
"""Why a number that begins with 0 is refused."""

ERASED = Recipient("0000000")
"""Takes the place of the number of an erased person. No phone has this number, because no international number begins
with 0. Nothing is ever sent to it."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _base32(raw: bytes) -> str:
    return base64.b32hexencode(raw).decode().rstrip("=").lower()


def new_id(prefix: str, now: datetime) -> str:
    """A new id that sorts by time: the prefix, `_` and 26 characters (48 bits of milliseconds, 80 random bits)."""
    milliseconds = (now - _EPOCH) // timedelta(milliseconds=1)
    return f"{prefix}_{_base32(milliseconds.to_bytes(6, 'big') + os.urandom(10))}"


_NEW_ID = re.compile(r"[a-z]+_([0-9a-v]{26})")


def creation_time(created_id: str) -> datetime | None:
    """When `new_id` created this id. None for an id that a caller chose."""
    match = _NEW_ID.fullmatch(created_id)
    if match is None:
        return None
    raw = base64.b32hexdecode(match[1].upper() + "=" * 6)
    try:
        return _EPOCH + timedelta(milliseconds=int.from_bytes(raw[:6], "big"))
    except (OverflowError, ValueError):
        return None


def _derived(prefix: str, *parts: str) -> str:
    digest = hashlib.sha256("\n".join(parts).encode()).digest()
    return f"{prefix}_{_base32(digest[:16])}"


def delivery_id(message_id: str, recipient: str) -> DeliveryId:
    """The id of the delivery of a message to a recipient. It is derived, so every service computes the same id."""
    return DeliveryId(_derived("dlv", message_id, recipient))


def conversation_id(package_id: str, recipient: str) -> str:
    """The id of the conversation of a package and a recipient."""
    return _derived("conv", package_id, recipient)


_OUR_CONVERSATION = re.compile(r"conv_[0-9a-v]{26}")


def is_conversation_id(name: str) -> bool:
    """Whether a text has the form of `conversation_id`. A caller's own name must not have this form."""
    return _OUR_CONVERSATION.fullmatch(name) is not None
