"""Statements about erasures: the removal of an erased person's contacts. No other table of stats has numbers."""

from spreader.erasure.sql_removals import OF_NUMBER, Removal

REMOVALS = (
    Removal(
        "stats.contact",
        f"{OF_NUMBER} AND coalesce(mine.wrote_at, '-infinity') <= CAST(:at AS timestamptz)"
        " AND coalesce(mine.spoke_at, '-infinity') <= CAST(:handled_at AS timestamptz)",
        lead="profile_id",
    ),
)
