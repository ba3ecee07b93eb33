"""Spellings: the statements that merge what the pacer stores about one person."""

from spreader.runtime.sql_spelling_merge import KEY, SpellingMerge, in_piece

_HELD = "state = 'held'"

MERGES = (
    SpellingMerge(
        "pacer.contact",
        f"""
WITH old AS (DELETE FROM pacer.contact WHERE {in_piece("pacer.contact")} RETURNING *)
INSERT INTO pacer.contact AS stored (profile_id, recipient, opened_at, last_release, wrote_at, unanswered)
SELECT profile_id, {KEY}, opened_at, last_release, wrote_at, unanswered FROM old ORDER BY 1, 2
ON CONFLICT (profile_id, recipient) DO UPDATE
SET opened_at = greatest(stored.opened_at, excluded.opened_at),
    last_release = greatest(stored.last_release, excluded.last_release),
    wrote_at = greatest(stored.wrote_at, excluded.wrote_at),
    unanswered = (stored.unanswered OR excluded.unanswered)
                 AND coalesce(greatest(stored.wrote_at, excluded.wrote_at)
                              < greatest(stored.opened_at, excluded.opened_at), true)""",
    ),
    SpellingMerge(
        "pacer.habit",
        f"""
WITH old AS (DELETE FROM pacer.habit WHERE {in_piece("pacer.habit")} RETURNING *)
INSERT INTO pacer.habit AS stored (package_id, recipient, hour, readings, touched_at)
SELECT package_id, {KEY}, hour, readings, touched_at FROM old ORDER BY 1, 2, 3
ON CONFLICT (package_id, recipient, hour) DO UPDATE
SET readings = stored.readings + excluded.readings, touched_at = greatest(stored.touched_at, excluded.touched_at)""",
    ),
    SpellingMerge("pacer.release", f"UPDATE pacer.release SET recipient = {KEY} WHERE {in_piece('pacer.release')}"),
    SpellingMerge(
        "pacer.delivery",
        f"""
UPDATE pacer.delivery SET given = recipient, recipient = {KEY} WHERE {in_piece("pacer.delivery", _HELD)}""",
        _HELD,
    ),
)
