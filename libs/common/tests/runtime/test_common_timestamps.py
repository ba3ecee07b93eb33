"""Timestamps: every value of a `timestamptz` column comes back aware, and compares with any other."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from spreader.runtime.postgres import create_engine
from spreader.runtime.timestamps import FIRST, LAST, decode, encode
from spreader.settings import Settings

CAIRO = timezone(timedelta(hours=2))
VALUES = [FIRST, LAST, datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), datetime(2026, 3, 1, 12, tzinfo=CAIRO)]


@given(st.datetimes(timezones=st.timezones()))
def test_each_instant_comes_back(instant: datetime) -> None:
    assert decode(encode(instant)) == instant.astimezone(UTC)


def test_a_naive_datetime_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        encode(datetime(2026, 3, 1))  # noqa: DTZ001 - the wrong kind, on purpose


@pytest.mark.postgres
async def test_infinities_are_aware_alone_and_in_arrays(database_url: str) -> None:
    engine = create_engine(Settings(database_url=database_url), "test")
    async with engine.begin() as connection:
        result = await connection.execute(
            text("SELECT CAST(:one AS timestamptz), at FROM unnest(CAST(:many AS timestamptz[])) AS value (at)"),
            {"one": FIRST, "many": VALUES},
        )
        rows = result.all()
        assert [row[0] for row in rows] == [FIRST] * len(VALUES)
        assert [row[1] for row in rows] == VALUES
        literals = (
            "SELECT CAST('-infinity' AS timestamptz), CAST('infinity' AS timestamptz), '4713-01-01 BC'::timestamptz"
        )
        assert tuple((await connection.execute(text(literals))).one()) == (FIRST, LAST, FIRST)
    await engine.dispose()
