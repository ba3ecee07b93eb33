"""Spellings: the statement that merges the consents of one person. A suppression wins; of opt-ins, the newest change.

The merged entries are published again. The readers ignore a change that is older than the one that they have, so a
merged entry that differs is later than both.
"""

from spreader.runtime.sql_spelling_merge import KEY, SpellingMerge, in_piece

_OLD_WINS = """CASE WHEN stored.kind = 'suppression' AND stored.listed <> excluded.listed THEN excluded.listed
                 ELSE excluded.since > stored.since END"""


def _winner(column: str) -> str:
    return f"CASE WHEN {_OLD_WINS} THEN excluded.{column} ELSE stored.{column} END"


MERGES = (
    SpellingMerge(
        "ingress.consent",
        f"""
WITH old AS (DELETE FROM ingress.consent WHERE {in_piece("ingress.consent")} RETURNING *)
INSERT INTO ingress.consent AS stored (package_id, kind, recipient, given, listed, since, source, evidence)
SELECT package_id, kind, {KEY}, recipient, listed, since, source, evidence FROM old ORDER BY 1, 2, 3
ON CONFLICT (package_id, kind, recipient) DO UPDATE
SET given = {_winner("given")}, listed = {_winner("listed")}, source = {_winner("source")},
    evidence = coalesce({_winner("evidence")}, stored.evidence, excluded.evidence),
    since = greatest(stored.since, excluded.since)
            + CASE WHEN stored.listed <> excluded.listed THEN interval '1 microsecond' ELSE interval '0' END,
    announced = false, changed_at = clock_timestamp()""",
    ),
)
