"""Migrations of all services: none stops the writers of a large table, and the previous version still works."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = {
    f"{path.parts[-3]}/{path.name}": path for path in sorted((ROOT / "services").glob("*/src/*/migrations/[0-9]*.py"))
}
BEFORE_THE_RULE = {"pacer/0002_contacts.py", "stats/0003_counts.py", "ingress/0009_words.py"}
"""Older than 0.1.0: their indexes need the columns that they add. Do not add a file to this list."""
BREAKS_THE_PREVIOUS = {"stats/0003_counts.py"}
"""Older than 0.1.0: the version before it stops counting. Do not add a file to this list."""
CREATED = re.compile(r"CREATE TABLE (?:IF NOT EXISTS )?(\S+)")
INDEXED = re.compile(r"CREATE (?:UNIQUE )?INDEX (?:IF NOT EXISTS )?\w+\s+ON (\S+)")
CONSTRAINED = re.compile(r"ALTER TABLE (\S+)\s+ADD (?:CONSTRAINT|UNIQUE|PRIMARY KEY)(?![^;]*NOT VALID)")
ADDED = r"ADD COLUMN(?:(?!ALTER)[^;])*?"
VOLATILE = r"(?:gen_random_uuid|random|clock_timestamp|nextval)\("
REWRITTEN = re.compile(
    rf"ALTER TABLE (\S+)[^;]*?(?:{ADDED}(?:GENERATED|serial\b|DEFAULT(?:(?!ALTER)[^;])*?{VOLATILE})"
    r"|ALTER COLUMN \w+ (?:SET DATA )?TYPE)"
)
"""Changes that write each row again. `now()` is computed once, so it is not among them."""
RENAMED = re.compile(r"ALTER TABLE (\S+)\s+RENAME")
HELPER = re.compile(r"(?:create|drop)_index_concurrently\(")


def faults(text: str) -> list[str]:
    created = set(CREATED.findall(text))
    found = [
        f"{table} may be large: use create_index_concurrently in a migration of its own or before everything else"
        for table in [*INDEXED.findall(text), *CONSTRAINED.findall(text)]
        if table not in created
    ]
    found += [
        f"{table} would be rewritten while all statements on it wait: add the column, then set the default"
        for table in REWRITTEN.findall(text)
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


@pytest.mark.parametrize("name", FILES)
def test_no_migration_renames_what_the_previous_version_uses(name: str) -> None:
    text = FILES[name].read_text()
    renamed = set(RENAMED.findall(text)) - set(CREATED.findall(text))
    assert bool(renamed) == (name in BREAKS_THE_PREVIOUS), renamed


@pytest.mark.parametrize(
    "text",
    [
        'SQL = """CREATE INDEX delivery_age\n    ON pacer.delivery (changed_at);"""',
        'op.execute("CREATE UNIQUE INDEX a ON pacer.delivery (a)")',
        'op.execute("ALTER TABLE pacer.delivery ADD CONSTRAINT once UNIQUE (a)")',
        'op.execute("ALTER TABLE pacer.delivery ADD COLUMN a text NOT NULL"\n" DEFAULT gen_random_uuid()::text")',
        'op.execute("ALTER TABLE pacer.delivery ADD COLUMN a int, ADD COLUMN b bigserial")',
        'op.execute("ALTER TABLE pacer.delivery ALTER COLUMN a TYPE bigint")',
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
        'op.execute("ALTER TABLE pacer.delivery ADD COLUMN a timestamptz NOT NULL DEFAULT now()")',
        'SQL = """ALTER TABLE pacer.a ADD COLUMN b int;\nALTER TABLE pacer.a ALTER b SET DEFAULT random();"""',
        'def upgrade() -> None:\n    create_index_concurrently("pacer.a", "delivery (a)")\n    op.execute("x")\n',
    ],
)
def test_the_rule_accepts_what_stops_nobody(text: str) -> None:
    assert faults(text) == []
