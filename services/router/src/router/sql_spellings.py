"""Spellings: the statements that merge the conversations of one person. The newest conversation wins."""

from spreader.runtime.sql_spelling_merge import KEY, SpellingMerge, in_piece

_LAST_AT = "coalesce(greatest({0}.customer_at, {0}.sent_at), {0}.begun_at)"

MERGES = (
    SpellingMerge(
        "router.conversation",
        f"""
WITH old AS (DELETE FROM router.conversation WHERE {in_piece("router.conversation")} RETURNING *)
INSERT INTO router.conversation AS stored (package_id, recipient, profile_id, customer_at, sent_at, substitute,
                                           begun_at)
SELECT package_id, {KEY}, profile_id, customer_at, sent_at, substitute, begun_at FROM old ORDER BY 1, 2
ON CONFLICT (package_id, recipient) DO UPDATE
SET profile_id = excluded.profile_id, customer_at = excluded.customer_at, sent_at = excluded.sent_at,
    substitute = excluded.substitute, begun_at = excluded.begun_at
WHERE {_LAST_AT.format("stored")} < {_LAST_AT.format("excluded")}""",
    ),
    SpellingMerge(
        "router.conversation_move",
        f"""
WITH old AS (DELETE FROM router.conversation_move WHERE {in_piece("router.conversation_move")} RETURNING *)
INSERT INTO router.conversation_move (package_id, recipient, profile_id, at, cause)
SELECT package_id, {KEY}, profile_id, at, cause FROM old ORDER BY 1, 2, 4
ON CONFLICT DO NOTHING""",
    ),
)
