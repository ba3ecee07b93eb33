"""Erasure harness: the table of erasures, as each service has it, for schemas of the common tests."""

ERASURE_TABLE = """
CREATE TABLE {schema}.erasure (
    erasure_id text PRIMARY KEY, hashes text[] NOT NULL, recipient text, at timestamptz NOT NULL,
    handled_at timestamptz NOT NULL, keep_suppression boolean NOT NULL, rows jsonb NOT NULL DEFAULT '{{}}',
    noted_at timestamptz NOT NULL DEFAULT clock_timestamp(), unaware text[],
    look_at timestamptz NOT NULL DEFAULT clock_timestamp(), done_at timestamptz
)"""
"""The table of `spreader.erasure.postgres`, as each service has it."""
