"""Postgres: every statement that the ingress runs."""

from sqlalchemy import text

# Packages and profiles

_PACKAGE_COLUMNS = """
package_id, version, settings, paused, created_at, updated_at,
ARRAY(SELECT profile_id FROM ingress.profile WHERE profile.package_id = package.package_id
      ORDER BY profile_id) AS profile_ids"""
_PROFILE_COLUMNS = "profile_id, package_id, settings, paused, created_at, updated_at"

PACKAGE_INSERT = text("""
INSERT INTO ingress.package (package_id, version, settings, created_at, updated_at)
SELECT :package_id, coalesce((SELECT version FROM ingress.package_gone WHERE package_id = :package_id), 0),
       CAST(:settings AS jsonb), :now, :now
ON CONFLICT DO NOTHING""")
"""A name that is used again goes on counting: a version never means two things."""

PACKAGE = text("SELECT " + _PACKAGE_COLUMNS + " FROM ingress.package WHERE package_id = :package_id")
PACKAGES = text(
    "SELECT "
    + _PACKAGE_COLUMNS
    + """
FROM ingress.package WHERE package_id > :after ORDER BY package_id LIMIT :limit"""
)

PACKAGE_BUMP = text("""
UPDATE ingress.package SET version = version + 1, updated_at = :now WHERE package_id = :package_id""")
"""The first statement of every change: it locks the row, so that the changes of a package follow each other."""

PACKAGE_SAVE = text("""
UPDATE ingress.package SET settings = CAST(:settings AS jsonb) WHERE package_id = :package_id""")
PACKAGE_PAUSE = text("UPDATE ingress.package SET paused = :paused WHERE package_id = :package_id")
PACKAGE_DELETE = text("""
WITH gone AS (DELETE FROM ingress.package WHERE package_id = :package_id RETURNING package_id, version)
INSERT INTO ingress.package_gone (package_id, version) SELECT package_id, version FROM gone
ON CONFLICT (package_id) DO UPDATE SET version = excluded.version""")

PROFILE_INSERT = text("""
INSERT INTO ingress.profile (profile_id, package_id, settings, created_at, updated_at)
VALUES (:profile_id, :package_id, CAST(:settings AS jsonb), :now, :now)
ON CONFLICT DO NOTHING""")
PROFILE = text(
    "SELECT "
    + _PROFILE_COLUMNS
    + """
FROM ingress.profile WHERE package_id = :package_id AND profile_id = :profile_id"""
)
PROFILE_ANYWHERE = text("SELECT " + _PROFILE_COLUMNS + " FROM ingress.profile WHERE profile_id = :profile_id")
PROFILES = text(
    "SELECT "
    + _PROFILE_COLUMNS
    + """
FROM ingress.profile WHERE package_id = :package_id AND profile_id > :after ORDER BY profile_id LIMIT :limit"""
)
PROFILE_SAVE = text("""
UPDATE ingress.profile SET settings = CAST(:settings AS jsonb), updated_at = :now
WHERE package_id = :package_id AND profile_id = :profile_id""")
PROFILE_PAUSE = text("""
UPDATE ingress.profile SET paused = :paused, updated_at = :now
WHERE package_id = :package_id AND profile_id = :profile_id""")
PROFILE_DELETE = text("""
DELETE FROM ingress.profile WHERE package_id = :package_id AND profile_id = :profile_id""")

# Outbox

OUTBOX_INSERT = text("""
INSERT INTO ingress.outbox (topic, key, body, headers)
SELECT topic, key, body, CAST(headers AS jsonb)
FROM unnest(CAST(:topics AS text[]), CAST(:keys AS text[]), CAST(:bodies AS text[]), CAST(:headers AS text[]))
     WITH ORDINALITY AS row (topic, key, body, headers, place) ORDER BY place""")
OUTBOX_LOCK = text("SELECT pg_try_advisory_xact_lock(hashtext('ingress.outbox'))")
OUTBOX_BATCH = text("""
(SELECT outbox_id, topic, key, body, headers FROM ingress.outbox WHERE topic <> :bulk ORDER BY outbox_id LIMIT :limit)
UNION ALL
(SELECT outbox_id, topic, key, body, headers FROM ingress.outbox WHERE topic = :bulk ORDER BY outbox_id
 LIMIT :bulk_max)""")
"""Large messages apart: a change of settings does not wait behind a bulk import."""
OUTBOX_DELETE = text("DELETE FROM ingress.outbox WHERE outbox_id = ANY(CAST(:outbox_ids AS bigint[]))")

# Status view

MESSAGES_INSERT = text("""
INSERT INTO ingress.message (message_id, package_id, lane, kind, recipients, accepted_at, traceparent)
SELECT * FROM unnest(CAST(:message_ids AS text[]), CAST(:package_ids AS text[]), CAST(:lanes AS text[]),
                     CAST(:kinds AS text[]), CAST(:recipients AS int[]), CAST(:accepted_ats AS timestamptz[]),
                     CAST(:traceparents AS text[]))
ON CONFLICT DO NOTHING""")
MESSAGE = text("""
SELECT message_id, package_id, lane, kind, recipients, accepted_at, cancelled_at
FROM ingress.message WHERE message_id = :message_id""")
MESSAGE_COUNTS = text("""
SELECT status, count(*) AS deliveries FROM ingress.delivery WHERE message_id = :message_id GROUP BY status""")
MESSAGE_CANCEL = text("""
UPDATE ingress.message SET cancelled_at = coalesce(cancelled_at, :now) WHERE message_id = :message_id""")

DELIVERIES_FOLD = text("""
INSERT INTO ingress.delivery AS known
    (delivery_id, message_id, package_id, lane, recipient, status, stage, attempt, turn, at,
     profile_id, index, reason, failure, gateway_message_id, sent_at)
SELECT * FROM unnest(
    CAST(:delivery_ids AS text[]), CAST(:message_ids AS text[]), CAST(:package_ids AS text[]), CAST(:lanes AS text[]),
    CAST(:recipients AS text[]), CAST(:statuses AS text[]), CAST(:stages AS int[]), CAST(:attempts AS int[]),
    CAST(:turns AS bigint[]), CAST(:ats AS timestamptz[]), CAST(:profile_ids AS text[]), CAST(:indexes AS int[]),
    CAST(:reasons AS text[]), CAST(:failures AS text[]), CAST(:gateway_message_ids AS text[]),
    CAST(:sent_ats AS timestamptz[]))
ON CONFLICT (delivery_id) DO UPDATE SET
    (status, stage, attempt, turn, at, reason, failure, profile_id, index, gateway_message_id, sent_at) = (
        SELECT status, stage, attempt, turn, at, reason, failure,
               coalesce(profile_id, known.profile_id, excluded.profile_id), coalesce(known.index, excluded.index),
               coalesce(known.gateway_message_id, excluded.gateway_message_id),
               coalesce(known.sent_at, excluded.sent_at)
        FROM (VALUES (known.status, known.stage, known.attempt, known.turn, known.at, known.reason, known.failure,
                      known.profile_id),
                     (excluded.status, excluded.stage, excluded.attempt, excluded.turn, excluded.at, excluded.reason,
                      excluded.failure, excluded.profile_id))
             AS pair (status, stage, attempt, turn, at, reason, failure, profile_id)
        ORDER BY stage DESC, attempt DESC, turn DESC LIMIT 1)
WHERE (excluded.stage, excluded.attempt, excluded.turn) > (known.stage, known.attempt, known.turn)
   OR known.index IS NULL AND excluded.index IS NOT NULL
   OR known.gateway_message_id IS NULL AND excluded.gateway_message_id IS NOT NULL
   OR known.sent_at IS NULL AND excluded.sent_at IS NOT NULL""")
"""What `ingress.core.facts.merge` says, in bulk: the report that came further holds, the other fills its gaps."""

_DELIVERY_COLUMNS = """
delivery_id, message_id, package_id, lane, recipient, profile_id, status, attempt, index, reason, failure,
gateway_message_id, sent_at, at AS updated_at"""
DELIVERY = text("SELECT " + _DELIVERY_COLUMNS + " FROM ingress.delivery WHERE delivery_id = :delivery_id")
DELIVERIES = text(
    "SELECT "
    + _DELIVERY_COLUMNS
    + """
FROM ingress.delivery WHERE message_id = :message_id AND delivery_id > :after ORDER BY delivery_id LIMIT :limit"""
)

# Consent

CONSENT_ADD = text("""
INSERT INTO ingress.consent AS known (package_id, kind, recipient, listed, since, source, evidence)
SELECT :package_id, :kind, recipient, true, :now, :source, :evidence
FROM (SELECT DISTINCT unnest(CAST(:recipients AS text[])) AS recipient) AS asked ORDER BY recipient
ON CONFLICT (package_id, kind, recipient) DO UPDATE
SET listed = true, since = excluded.since, source = excluded.source,
    evidence = coalesce(excluded.evidence, known.evidence), announced = false, changed_at = clock_timestamp()
WHERE NOT known.listed AND (excluded.evidence IS NULL OR known.evidence IS DISTINCT FROM excluded.evidence)""")
CONSENT_LIFT = text("""
UPDATE ingress.consent
SET listed = false, since = :now, source = 'api', announced = false, changed_at = clock_timestamp()
WHERE package_id = :package_id AND kind = :kind AND recipient = :recipient AND listed""")
CONSENT_LIFT_OF_GATEWAY = text("""
UPDATE ingress.consent
SET listed = false, since = :now, announced = false, changed_at = clock_timestamp()
WHERE package_id = :package_id AND kind = :kind AND recipient = :recipient AND listed
  AND source = 'gateway' AND since <= :wished_at""")
CONSENT_PAGE = text("""
SELECT recipient, since, source, evidence FROM ingress.consent
WHERE package_id = :package_id AND kind = :kind AND listed AND recipient > :after
  AND (CAST(:recipient AS text) IS NULL OR recipient = :recipient)
ORDER BY recipient LIMIT :limit""")
CONSENT_OF = text("""
SELECT consent.recipient, consent.kind
FROM unnest(CAST(:recipients AS text[])) AS asked (recipient) JOIN ingress.consent USING (recipient)
WHERE consent.package_id IN (:package_id, '*') AND consent.kind = ANY (CAST(:kinds AS text[])) AND consent.listed""")

_CONSENT_NEWS = "SELECT package_id, kind, recipient, listed, since, source FROM ingress.consent WHERE NOT announced "
CONSENT_NEWS = text(
    _CONSENT_NEWS
    + """
AND package_id = :package_id AND kind = :kind AND recipient = ANY (CAST(:recipients AS text[]))
ORDER BY recipient FOR UPDATE"""
)
CONSENT_LEFT_OVER = text(
    _CONSENT_NEWS
    + """
AND changed_at < clock_timestamp() - interval '5 seconds' ORDER BY changed_at LIMIT :limit FOR UPDATE SKIP LOCKED"""
)
CONSENT_TOLD = text("""
UPDATE ingress.consent SET announced = true
FROM unnest(CAST(:package_ids AS text[]), CAST(:kinds AS text[]), CAST(:recipients AS text[]))
     AS told (package_id, kind, recipient)
WHERE consent.package_id = told.package_id AND consent.kind = told.kind AND consent.recipient = told.recipient""")

# Answers kept for an Idempotency-Key

ANSWER_CLAIM = text("""
INSERT INTO ingress.answer AS known (route, key, body_hash, claim, message_id)
VALUES (:route, :key, :body_hash, :claim, :message_id)
ON CONFLICT (route, key) DO UPDATE SET claim = excluded.claim, taken_at = excluded.taken_at
WHERE known.status IS NULL AND known.body_hash = excluded.body_hash
  AND (known.claim = '' OR known.taken_at < clock_timestamp() - interval '60 seconds')
RETURNING message_id""")
"""The message of the key: a later try goes on with that of the first.

A claim without an answer after a minute is a process that died: the next request goes on in its place.
"""

ANSWER = text("SELECT body_hash, status, body FROM ingress.answer WHERE route = :route AND key = :key")
ANSWER_SAVE = text("""
UPDATE ingress.answer SET status = :status, body = :body WHERE route = :route AND key = :key AND claim = :claim""")
ANSWER_RELEASE = text("""
UPDATE ingress.answer SET claim = '' WHERE route = :route AND key = :key AND claim = :claim""")
ANSWER_DROP = text("DELETE FROM ingress.answer WHERE route = :route AND key = :key AND claim = :claim")
ANSWERS_DELETE_OLD = text("""
DELETE FROM ingress.answer WHERE (route, key) IN (
    SELECT route, key FROM ingress.answer WHERE taken_at < clock_timestamp() - interval '72 hours' LIMIT :limit
    FOR UPDATE SKIP LOCKED)""")
"""Locked: a row that a request takes over just now is young again."""
