"""Migrations of all services: none of them stops the writers of a table while it builds an index."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = {
    f"{path.parts[-3]}/{path.name}": path for path in sorted((ROOT / "services").glob("*/src/*/migrations/[0-9]*.py"))
}
BEFORE_THE_RULE = {"pacer/0002_contacts.py", "stats/0003_counts.py", "ingress/0009_words.py"}
"""Older than 0.1.0: their indexes need the columns that they add. Do not add a file to this list."""
CREATED = re.compile(r"CREATE TABLE (?:IF NOT EXISTS )?(\S+)")
INDEXED = re.compile(r"CREATE (?:UNIQUE )?INDEX (?:IF NOT EXISTS )?\w+\s+ON (\S+)")
CONSTRAINED = re.compile(r"ALTER TABLE (\S+)\s+ADD (?:CONSTRAINT|UNIQUE|PRIMARY KEY)(?![^;]*NOT VALID)")
HELPER = re.compile(r"(?:create|drop)_index_concurrently\(")


def faults(text: str) -> list[str]:
    created = set(CREATED.findall(text))
    found = [
        f"{table} may be large: use create_index_concurrently in a migration of its own or before everything else"
        for table in [*INDEXED.findall(text), *CONSTRAINED.findall(text)]
        if table not in created
    ]
    body = text.partition("def upgrade()")[2]
    helpers = [match.start() for match in HELPER.finditer(body)]
    if helpers and "op.execute(" in body[: helpers[-1]]:
        found.append("call create_index_concurrently before everything else, because it ends the transaction")
    return found


@pytest.mark.parametrize("name", FILES)
def test_no_migration_stops_the_writers_of_a_large_table(name: str) -> None:
    found = faults(FILES[name].read_text())
    assert bool(found) == (name in BEFORE_THE_RULE), found


@pytest.mark.parametrize(
    "text",
    [
        'SQL = """CREATE INDEX delivery_age\n    ON pacer.delivery (changed_at);"""',
        'op.execute("CREATE UNIQUE INDEX a ON pacer.delivery (a)")',
        'op.execute("ALTER TABLE pacer.delivery ADD CONSTRAINT once UNIQUE (a)")',
        'def upgrade() -> None:\n    op.execute("x")\n    create_index_concurrently("pacer.a", "delivery (a)")\n',
    ],
)
def test_the_rule_finds_what_stops_writers(text: str) -> None:
    assert len(faults(text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        'SQL = """CREATE TABLE pacer.a (b text);\nCREATE INDEX a_b ON pacer.a (b);"""',
        'op.execute("ALTER TABLE pacer.delivery ADD CONSTRAINT once CHECK (a > 0) NOT VALID")',
        'def upgrade() -> None:\n    create_index_concurrently("pacer.a", "delivery (a)")\n    op.execute("x")\n',
    ],
)
def test_the_rule_accepts_what_stops_nobody(text: str) -> None:
    assert faults(text) == []
