"""Timestamps: `timestamptz` values of Postgres as aware datetimes, with both infinities.

asyncpg decodes `infinity` and `-infinity` as naive datetimes, and comparing those with aware ones raises TypeError.
This module reads them as the greatest and the least aware datetime, and writes these two as the infinities.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

FIRST = datetime.min.replace(tzinfo=UTC)
LAST = datetime.max.replace(tzinfo=UTC)

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # of Postgres: PostgreSQL source, src/include/datatype/timestamp.h
_MINUS_INFINITY = -(2**63)
_INFINITY = 2**63 - 1
_MICROSECOND = timedelta(microseconds=1)


class CodecConnection(Protocol):
    async def set_type_codec(self, typename: str, **arguments: Any) -> None: ...


async def register(connection: CodecConnection) -> None:
    """Let an asyncpg connection read and write all `timestamptz` values with this module."""
    await connection.set_type_codec("timestamptz", schema="pg_catalog", format="tuple", encoder=encode, decoder=decode)


def encode(value: datetime) -> tuple[int]:
    """Microseconds since 2000. Raises ValueError for a naive datetime, because its instant is unknown."""
    if value.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone")
    if value in (FIRST, LAST):
        return (_MINUS_INFINITY if value == FIRST else _INFINITY,)
    return ((value - _EPOCH) // _MICROSECOND,)


def decode(value: tuple[int]) -> datetime:
    """Instants outside the years 1 to 9999 become the nearest infinity, because Python has no datetime for them."""
    try:
        return _EPOCH + timedelta(microseconds=value[0])
    except OverflowError:
        return FIRST if value[0] < 0 else LAST
