"""Spellings: the statement that merges the contact histories of one person."""

from spreader.runtime.sql_spelling_merge import KEY, SpellingMerge, in_piece

MERGES = (
    SpellingMerge(
        "stats.contact",
        f"""
WITH old AS (DELETE FROM stats.contact WHERE {in_piece("stats.contact")} RETURNING *)
INSERT INTO stats.contact AS stored (profile_id, recipient, spoke_at, wrote_first_at, wrote_at, asked_at, asked_by,
                                     opened_at, receives, touched_at)
SELECT profile_id, {KEY}, spoke_at, wrote_first_at, wrote_at, asked_at, asked_by, opened_at, receives, touched_at
FROM old ORDER BY 1, 2
ON CONFLICT (profile_id, recipient) DO UPDATE
SET spoke_at = greatest(stored.spoke_at, excluded.spoke_at),
    wrote_first_at = least(stored.wrote_first_at, excluded.wrote_first_at),
    wrote_at = greatest(stored.wrote_at, excluded.wrote_at),
    (asked_at, asked_by, opened_at) = (
        SELECT asked_at, asked_by, opened_at
        FROM (VALUES (stored.asked_at, stored.asked_by, stored.opened_at),
                     (excluded.asked_at, excluded.asked_by, excluded.opened_at)) AS pair (asked_at, asked_by, opened_at)
        ORDER BY asked_at NULLS LAST LIMIT 1),
    receives = stored.receives OR excluded.receives,
    touched_at = greatest(stored.touched_at, excluded.touched_at)""",
    ),
)
