"""Statements about counts: by the minute and the hour, of profiles and packages, and the windows over them."""

from sqlalchemy import TextClause, text

from stats.core.sums import KINDS

ROLLUPS = {"minute": "profile_id", "hour": "profile_id", "package_minute": "package_id", "package_hour": "package_id"}
"""Every table of counts, and whose they are. Their column `at` is where the minute or the hour begins."""

SUMS = ", ".join(f"coalesce(sum({kind}), 0) AS {kind}" for kind in KINDS)
SENT_OPEN = "coalesce(sum(sent) FILTER (WHERE lane = 'open'), 0) AS sent_open"

_NAMES = ", ".join(KINDS)
_GIVEN = ", ".join(f"CAST(:{kind} AS int[])" for kind in KINDS)
_ADDED = ", ".join(f"{kind} = known.{kind} + excluded.{kind}" for kind in KINDS)


def _add(table: str, who: str) -> TextClause:
    package, packages = (", package_id", ", CAST(:packages AS text[])") if who == "profile_id" else ("", "")
    return text(f"""
INSERT INTO stats.{table} AS known ({who}, at, lane{package}, {_NAMES})
SELECT * FROM unnest(CAST(:whose AS text[]), CAST(:ats AS timestamptz[]), CAST(:lanes AS text[]){packages}, {_GIVEN})
ON CONFLICT ({who}, at, lane) DO UPDATE SET {_ADDED}""")


def _add_failures(table: str, who: str) -> TextClause:
    package, packages = (", package_id", ", CAST(:packages AS text[])") if who == "profile_id" else ("", "")
    return text(f"""
INSERT INTO stats.{table}_failure AS known ({who}, at, lane{package}, failure, count)
SELECT * FROM unnest(CAST(:whose AS text[]), CAST(:ats AS timestamptz[]), CAST(:lanes AS text[]){packages},
                     CAST(:failures AS text[]), CAST(:counts AS int[]))
ON CONFLICT ({who}, at, lane, failure) DO UPDATE SET count = known.count + excluded.count""")


ADD = {table: _add(table, who) for table, who in ROLLUPS.items()}
ADD_FAILURES = {table: _add_failures(table, who) for table, who in ROLLUPS.items()}

ADD_MESSAGES = text(f"""
INSERT INTO stats.message AS known (message_id, profile_id, lane, package_id, first_at, last_at, {_NAMES})
SELECT * FROM unnest(CAST(:messages AS text[]), CAST(:profiles AS text[]), CAST(:lanes AS text[]),
                     CAST(:packages AS text[]), CAST(:firsts AS timestamptz[]), CAST(:lasts AS timestamptz[]), {_GIVEN})
ON CONFLICT (message_id, profile_id, lane) DO UPDATE SET {_ADDED},
    first_at = least(known.first_at, excluded.first_at), last_at = greatest(known.last_at, excluded.last_at)""")

# The day and what is shorter by the minute; the rest of the week by the hour, and by the minute at its far end.
_SPANS = """(VALUES ('hour', CAST(:hour AS timestamptz)), ('two_hours', CAST(:two_hours AS timestamptz)),
      ('three_hours', CAST(:three_hours AS timestamptz)), ('day', CAST(:day AS timestamptz)),
      ('week', CAST(:last AS timestamptz) - interval '1 minute')) AS span (name, after) ON at > span.after"""
_MINE = "profile_id = ANY(CAST(:profiles AS text[]))"
_NOW = "at >= CAST(:last AS timestamptz) AND at <= CAST(:until AS timestamptz)"
_FAR_END = "at > CAST(:week AS timestamptz) AND at < CAST(:first AS timestamptz)"
_BETWEEN = "at >= CAST(:first AS timestamptz) AND at < CAST(:last AS timestamptz)"

WINDOWS = text(f"""
SELECT profile_id, span.name AS span, {SUMS}, {SENT_OPEN} FROM stats.minute JOIN {_SPANS}
WHERE {_MINE} AND {_NOW} GROUP BY profile_id, span.name
UNION ALL SELECT profile_id, 'week', {SUMS}, {SENT_OPEN} FROM stats.minute WHERE {_MINE} AND {_FAR_END}
GROUP BY profile_id
UNION ALL SELECT profile_id, 'week', {SUMS}, {SENT_OPEN} FROM stats.hour WHERE {_MINE} AND {_BETWEEN}
GROUP BY profile_id""")

FAILURES = text(f"""
SELECT profile_id, span.name AS span, failure, sum(count) AS number FROM stats.minute_failure JOIN {_SPANS}
WHERE {_MINE} AND {_NOW} GROUP BY profile_id, span.name, failure
UNION ALL SELECT profile_id, 'week', failure, sum(count) FROM stats.minute_failure WHERE {_MINE} AND {_FAR_END}
GROUP BY profile_id, failure
UNION ALL SELECT profile_id, 'week', failure, sum(count) FROM stats.hour_failure WHERE {_MINE} AND {_BETWEEN}
GROUP BY profile_id, failure""")
