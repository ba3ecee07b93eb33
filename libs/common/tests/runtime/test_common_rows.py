"""Rows: a dataclass is the only place that spells the columns of a statement."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal

import pytest
from sqlalchemy import text

from spreader.runtime.postgres import create_engine
from spreader.runtime.rows import arrays, column, fetched, unnest
from spreader.settings import Settings

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True)
class Sample:
    name: str
    at: datetime | None
    number: int = column("int")
    share: float = 0.5
    is_new: bool = False
    colour: Colour = Colour.RED
    lane: Literal["reply", "open"] = "open"


def test_the_columns_follow_from_the_fields() -> None:
    assert unnest(Sample, "sample") == (
        "unnest(CAST(:name AS text[]), CAST(:at AS timestamptz[]), CAST(:number AS int[]), "
        "CAST(:share AS double precision[]), CAST(:is_new AS boolean[]), CAST(:colour AS text[]), "
        "CAST(:lane AS text[])) AS sample (name, at, number, share, is_new, colour, lane)"
    )


def test_no_rows_are_empty_arrays() -> None:
    assert arrays(Sample, [])["name"] == []


def test_a_field_without_an_sql_type_is_named() -> None:
    @dataclass
    class Odd:
        names: list[str]

    with pytest.raises(TypeError, match=r"Odd\.names.*column"):
        unnest(Odd, "odd")


@pytest.mark.postgres
@pytest.mark.parametrize("columns", ["*", "colour, lane, is_new, share, number, at, name"])
async def test_rows_come_back_as_they_went(database_url: str, columns: str) -> None:
    engine = create_engine(Settings(database_url=database_url), "test")
    rows = [Sample("a", NOON, 1, 0.25, True), Sample("b", None, 2)]
    async with engine.begin() as connection:
        result = await connection.execute(
            text(f"SELECT {columns} FROM {unnest(Sample, 'sample')}"), arrays(Sample, rows)
        )
        assert fetched(Sample, result) == rows
    await engine.dispose()
