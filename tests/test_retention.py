"""Retention: each table has a row in the docs, and deleting old rows reads no table as a whole."""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from table_rows import explained, fill, nodes

from ingress.settings import IngressSettings
from ingress.sql import retention as ingress
from local.testbed.databases import MigratedDatabases
from pacer.settings import PacerSettings
from pacer.sql import maintenance as pacer
from router import retention as router
from router.settings import RouterSettings
from sender.gateways.number_check import REMEMBERED_FOR
from sender.gateways.uploads import UPLOAD_VALID_FOR
from sender.ledger import retention as sender
from sender.settings import SenderSettings
from spreader.clock import wall_now
from spreader.runtime.retention import BEGINNING, TAKE_TURN, OldRows, deletion_of, oldest_of
from stats.counting import retention as stats
from stats.settings import StatsSettings

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/retention.md").read_text()
SERVICES = ("ingress", "pacer", "router", "sender", "stats")

TABLES = text("SELECT schemaname || '.' || tablename FROM pg_catalog.pg_tables WHERE schemaname = :schema")
ROWS, OLD, PIECE = 3_000, 300, 100
BLOCKS_MAX = {"read": 40, "piece": 1_500}
"""The most pages that a run may touch: one that finds nothing old, and one that deletes `PIECE` rows from the table and
its indexes. Reading one of these tables as a whole takes more pages than the first, and `ROWS` rows more than that."""


def rules() -> dict[str, Sequence[OldRows]]:
    return {
        "ingress": ingress.old_rows(IngressSettings().change_keep),
        "pacer": pacer.old_rows(PacerSettings().contact_keep),
        "router": router.old_rows(RouterSettings().conversation_keep),
        "sender": sender.old_rows(SenderSettings().keep, UPLOAD_VALID_FOR, REMEMBERED_FOR),
        "stats": stats.old_rows(StatsSettings().keep),
    }


def documented() -> dict[str, str]:
    """Each table that the page names in the first column of its table, with its row."""
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    return {name: row for row in rows for name in re.findall(r"`(\w+\.\w+)`", row.split("|")[1])}


async def test_every_table_has_a_row_in_the_docs_and_every_row_has_a_table(databases: MigratedDatabases) -> None:
    tables = set[str]()
    for service in SERVICES:
        async with databases.of(service) as engine, engine.connect() as connection:
            tables |= set((await connection.execute(TABLES, {"schema": service})).scalars())
    assert len(tables) > 50
    assert tables == set(documented())


@pytest.mark.parametrize("old", [old for service in rules().values() for old in service], ids=lambda old: old.table)
def test_the_page_says_how_long_rows_are_kept(old: OldRows) -> None:
    hours = old.keep // timedelta(hours=1)
    kept = "72 hours" if hours == 72 else f"{old.keep.days} day"
    assert kept in documented()[old.table]


def ages(old: OldRows, days_more: int) -> dict[str, str]:
    """The columns of a rule's age, so that the rows are younger or older than their retention."""
    names = re.findall(r"\b\w+_at\b|\bat\b|\blast_release\b", old.age)
    moment = f"now() - interval '{old.keep.total_seconds():.0f} s' - interval '{days_more} d' + n * interval '1 s'"
    return dict.fromkeys(names, moment)


def reads_no_table(plan: Mapping[str, Any], blocks_max: int) -> None:
    for node in nodes(plan):
        assert node["Node Type"] != "Seq Scan", node
        assert node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0) <= PIECE, node
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] <= blocks_max, plan


@pytest.mark.parametrize("service", rules())
@pytest.mark.parametrize("analyzed", [False, True], ids=["without statistics", "with statistics"])
async def test_deleting_old_rows_reads_only_an_index(
    databases: MigratedDatabases, service: str, analyzed: bool
) -> None:
    """Red before: with `clock_timestamp()` in the condition, and without an index, each run read whole tables."""
    async with databases.of(service) as engine:
        for old in rules()[service]:
            async with engine.begin() as connection:
                if service == "pacer" and old.table != "pacer.delivery":
                    await fill(connection, "pacer.delivery", ROWS + OLD, {})
                await fill(connection, old.table, ROWS, ages(old, -1))
                if analyzed:
                    await connection.execute(text(f"ANALYZE {old.table}"))
                params = {"after": BEGINNING, "before": wall_now() - old.keep, "rows": PIECE}
                turn = (await connection.execute(TAKE_TURN, {"table": old.table})).one()
                assert turn.is_mine
                reads_no_table(await explained(connection, deletion_of(old).text, params), BLOCKS_MAX["read"])
                reads_no_table(await explained(connection, oldest_of(old).text, {}), BLOCKS_MAX["read"])
                await fill(connection, old.table, OLD, ages(old, 2))
                plan = await explained(connection, deletion_of(old).text, params)
                reads_no_table(plan, BLOCKS_MAX["piece"])
                (deleted,) = (node for node in nodes(plan) if node["Node Type"] == "ModifyTable")
                assert deleted["Actual Rows"] == (0 if old.needed and service == "pacer" else PIECE)
                await connection.rollback()
