"""Statements: suppressions and opt-ins."""

from sqlalchemy import text

ADD = text("""
INSERT INTO ingress.consent AS known (package_id, kind, recipient, listed, since, source, evidence)
SELECT :package_id, :kind, recipient, true, :now, :source, :evidence
FROM (SELECT DISTINCT unnest(CAST(:recipients AS text[])) AS recipient) AS asked ORDER BY recipient
ON CONFLICT (package_id, kind, recipient) DO UPDATE
SET listed = true, since = excluded.since, source = excluded.source,
    evidence = coalesce(excluded.evidence, known.evidence), announced = false, changed_at = clock_timestamp()
WHERE NOT known.listed AND (excluded.evidence IS NULL OR known.evidence IS DISTINCT FROM excluded.evidence)""")
LIFT = text("""
UPDATE ingress.consent
SET listed = false, since = :now, source = 'api', announced = false, changed_at = clock_timestamp()
WHERE package_id = :package_id AND kind = :kind AND recipient = :recipient AND listed""")
LIFT_OF_GATEWAY = text("""
UPDATE ingress.consent
SET listed = false, since = :now, announced = false, changed_at = clock_timestamp()
WHERE package_id = :package_id AND kind = :kind AND recipient = :recipient AND listed
  AND source = 'gateway' AND since <= :wished_at""")
PAGE = text("""
SELECT recipient, since, source, evidence FROM ingress.consent
WHERE package_id = :package_id AND kind = :kind AND listed AND recipient > :after
  AND (CAST(:recipient AS text) IS NULL OR recipient = :recipient)
ORDER BY recipient LIMIT :limit""")
LISTINGS = text("""
SELECT consent.recipient, consent.kind
FROM unnest(CAST(:recipients AS text[])) AS asked (recipient) JOIN ingress.consent USING (recipient)
WHERE consent.package_id IN (:package_id, '*') AND consent.kind = ANY (CAST(:kinds AS text[])) AND consent.listed""")

_UNANNOUNCED = "SELECT package_id, kind, recipient, listed, since, source FROM ingress.consent WHERE NOT announced "
UNANNOUNCED = text(
    _UNANNOUNCED
    + """
AND package_id = :package_id AND kind = :kind AND recipient = ANY (CAST(:recipients AS text[]))
ORDER BY recipient FOR UPDATE"""
)
LEFT_OVER = text(
    _UNANNOUNCED
    + """
AND changed_at < clock_timestamp() - interval '5 seconds' ORDER BY changed_at LIMIT :limit FOR UPDATE SKIP LOCKED"""
)
MARK_ANNOUNCED = text("""
UPDATE ingress.consent SET announced = true
FROM unnest(CAST(:package_ids AS text[]), CAST(:kinds AS text[]), CAST(:recipients AS text[]))
     AS told (package_id, kind, recipient)
WHERE consent.package_id = told.package_id AND consent.kind = told.kind AND consent.recipient = told.recipient""")
