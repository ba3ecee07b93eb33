"""Sentinels: the first and the last instant come back from every column that holds a time, aware and comparable.

Both are stored as infinities. A driver that returns those without a time zone makes each comparison raise.
"""

from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from local.testbed.databases import MigratedDatabases
from spreader.runtime.timestamps import FIRST, LAST

pytestmark = pytest.mark.postgres

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TIMES = """
SELECT table_name, column_name, data_type FROM information_schema.columns
WHERE table_schema = :schema AND (data_type LIKE '%time%' OR data_type = 'date')
ORDER BY table_name, ordinal_position"""


@pytest.mark.parametrize("service", ["ingress", "router", "pacer", "sender", "stats"])
async def test_the_first_and_the_last_instant_come_back_from_every_column(
    databases: MigratedDatabases, service: str
) -> None:
    async with databases.of(service) as engine, engine.begin() as connection:
        columns = (await connection.execute(text(TIMES), {"schema": service})).all()
        assert columns
        assert {data_type for *_, data_type in columns} == {"timestamp with time zone"}, "others come back naive"
        for table, column, _ in columns:
            stored = f"{table}_{column}"
            source = f'SELECT "{column}" FROM {service}."{table}"'  # the type and nothing else of the column
            await connection.execute(text(f'CREATE TEMP TABLE "{stored}" AS {source} WITH NO DATA'))
            await connection.execute(text(f'INSERT INTO "{stored}" VALUES (:first), (:now), (:last)'), {
                "first": FIRST, "now": NOW, "last": LAST,
            })  # fmt: skip
            found = (await connection.execute(text(f'SELECT "{column}" FROM "{stored}"'))).scalars().all()
            assert sorted(found) == [FIRST, NOW, LAST], stored
