"""Table rows: fills the tables of a service for a test, and reads the plans of its statements."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

COLUMNS = text("""
SELECT column_name, data_type,
       column_default IS NOT NULL OR is_nullable = 'YES' OR is_identity = 'YES' AS may_be_left_out
FROM information_schema.columns WHERE table_schema || '.' || table_name = :table ORDER BY ordinal_position""")
VALUES = {
    "text": "'x' || n",
    "ARRAY": "ARRAY['x' || n]",
    "jsonb": "'{}'",
    "timestamp with time zone": "now()",
    "boolean": "false",
}
SPECIAL = {
    "ingress.consent": {"kind": "'opt_in'"},
    "ingress.delivery": {"lane": "'open'", "stage": "2", "at": "now() - interval '1 year'"},
    "pacer.delivery": {"state": "'expired'"},
    "pacer.cancellation": {"pending_after": "NULL"},
    "sender.delivery": {"lane": "'open'", "state": "'settled'"},
}


async def fill(connection: AsyncConnection, table: str, count: int, given: Mapping[str, str]) -> None:
    """Insert `count` rows. `given`: expressions for columns, in which `n` is the number of the row."""
    values = {**SPECIAL.get(table, {}), **given}
    for column, kind, may_be_left_out in await connection.execute(COLUMNS, {"table": table}):
        if column not in values and not may_be_left_out:
            values[column] = VALUES.get(kind, "1")
    names, sources = ", ".join(values), ", ".join(values.values())
    start = "(SELECT count(*) FROM " + table + ")"
    series = f"generate_series({start} + 1, {start} + {count}) AS n"
    await connection.execute(text(f"INSERT INTO {table} ({names}) SELECT {sources} FROM {series}"))


def nodes(plan: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [plan, *(node for child in plan.get("Plans", ()) for node in nodes(child))]


async def explained(connection: AsyncConnection, statement: str, params: Mapping[str, object]) -> Mapping[str, Any]:
    result = await connection.execute(text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"), params)
    return result.scalar_one()[0]["Plan"]
