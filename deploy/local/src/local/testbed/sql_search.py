"""Search: finds the tables whose rows contain a text, whatever their columns are called."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


async def tables_with(connection: AsyncConnection, wanted: str, *schemas: str) -> set[str]:
    """The tables of these schemas that have the text in any column of any row, as `schema.table`."""
    tables = (await connection.execute(_TABLES, {"schemas": list(schemas)})).scalars().all()
    return {
        table
        for table in tables
        if (await connection.execute(text(_CONTAINS.format(table=table)), {"wanted": wanted})).scalar_one()
    }


_TABLES = text("""
SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
WHERE schemaname = ANY (CAST(:schemas AS text[])) ORDER BY 1""")

_CONTAINS = """
SELECT EXISTS (SELECT FROM {table} AS whole_row WHERE strpos(CAST(whole_row AS text), CAST(:wanted AS text)) > 0)"""
