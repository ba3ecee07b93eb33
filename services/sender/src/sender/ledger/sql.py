"""SQL: the statements of the delivery ledger."""

from sqlalchemy import text

from sender.ledger.claim import ClaimKey
from sender.ledger.delivery_rows import HostSlotsRow, NewDeliveryRow, NewEventRow, ResultRow, StartRow
from spreader.contract.ids import ERASED
from spreader.erasure.sql_condition import is_erased
from spreader.phone.sql_spellings import SPELLINGS
from spreader.runtime.rows import unnest

# Statements lock the rows that they change in the order of their ids. Without an order, two of them could each hold a
# row that the other waits for, and Postgres would end one with a deadlock.
IN_ORDER = """locked AS (
    SELECT delivery_id FROM sender.delivery
    WHERE delivery_id = ANY (CAST(:delivery_id AS text[])) ORDER BY delivery_id FOR UPDATE)"""

# A newer attempt or release reopens a delivery that was settled as certainly not sent. Any other repeat changes
# nothing. A reopened row keeps its sequence number, so it keeps its place among the recipient's replies. If the
# recipient was erased after the request, the delivery gets ERASED in place of the number, and is then cancelled.
INSERT_DELIVERIES = text(f"""
WITH {IN_ORDER}
INSERT INTO sender.delivery AS stored (
    delivery_id, message_id, lane, package_id, recipient, profile_id, host, attempt, release, asked, traceparent,
    state, due_at)
SELECT incoming.delivery_id, incoming.message_id, :lane, incoming.package_id,
       CASE WHEN person.is_erased THEN '{ERASED}' ELSE incoming.recipient END, incoming.profile_id,
       incoming.host, incoming.attempt, incoming.release,
       CASE WHEN person.is_erased THEN replace(incoming.body, '"' || incoming.recipient || '"', '"{ERASED}"')
            ELSE incoming.body END,
       incoming.traceparent, 'ready', statement_timestamp()
FROM {unnest(NewDeliveryRow, "incoming")}
LEFT JOIN locked USING (delivery_id)
CROSS JOIN LATERAL (
    SELECT {is_erased("sender", "incoming.recipient", "incoming.requested_at")} AS is_erased) AS person
ORDER BY incoming.position, locked.delivery_id
ON CONFLICT (delivery_id) DO UPDATE SET
    lane = excluded.lane, recipient = excluded.recipient, profile_id = excluded.profile_id, host = excluded.host,
    attempt = excluded.attempt, release = excluded.release, asked = excluded.asked,
    traceparent = excluded.traceparent, state = 'ready',
    due_at = excluded.due_at, status = NULL,
    tries = CASE WHEN stored.attempt = excluded.attempt THEN stored.tries ELSE 0 END
WHERE stored.state = 'settled' AND stored.status IN ('deferred', 'returned')
  AND (stored.attempt, stored.release) < (excluded.attempt, excluded.release)
RETURNING stored.delivery_id""")

# - statement_timestamp() is stable, so Postgres can bound the index scan by it. It cannot do so by clock_timestamp().
# - A reply waits until every earlier reply to its recipient is settled, even one that another worker has claimed.
# - A host gets at most as many deliveries as it has free slots. If it has none, its deliveries are skipped.
# - A claim whose lease ended before its call began has sent nothing. So it leaves no doubt and counts as no try.
# - Cancellations and consents are read in the same statement, to save a query for each delivery.
CLAIM = text(f"""
WITH candidates AS (
    SELECT candidate.delivery_id, candidate.state, candidate.host, candidate.due_at, candidate.sequence
    FROM sender.delivery AS candidate
    WHERE candidate.lane = :lane AND candidate.state <> 'settled' AND candidate.due_at <= statement_timestamp()
      AND candidate.host <> ALL(CAST(:full AS text[])) AND candidate.delivery_id <> ALL(CAST(:own AS text[]))
      AND (:take_over OR candidate.state <> 'sending' OR candidate.worker IS NULL)
      AND (candidate.lane = 'open' OR NOT EXISTS (
          SELECT FROM sender.delivery AS ahead
          WHERE ahead.lane = 'reply' AND ahead.state <> 'settled' AND ahead.package_id = candidate.package_id
            AND ahead.recipient = ANY ({SPELLINGS.format("candidate.recipient")})
            AND ahead.sequence < candidate.sequence))
    ORDER BY candidate.due_at, candidate.sequence
    LIMIT :free
    FOR UPDATE SKIP LOCKED),
due AS (
    SELECT delivery_id, state
    FROM (SELECT *, row_number() OVER (PARTITION BY host ORDER BY due_at, sequence) AS place
          FROM candidates) AS counted
    LEFT JOIN {unnest(HostSlotsRow, "host_slots")} USING (host)
    WHERE place <= coalesce(host_slots.slots, :other))
UPDATE sender.delivery AS claimed
SET state = CASE WHEN due.state = 'sending' THEN 'sending' ELSE 'claimed' END, worker = :worker,
    claim = claimed.claim + 1, uncalled = claimed.claim + 1,
    tries = claimed.tries + CASE WHEN due.state = 'claimed' THEN 0 ELSE 1 END,
    due_at = clock_timestamp() + make_interval(secs => :lease)
FROM due WHERE claimed.delivery_id = due.delivery_id
RETURNING claimed.lane, claimed.asked, claimed.traceparent, claimed.claim, claimed.tries, claimed.host,
          claimed.resent, claimed.heard, due.state = 'sending' AS in_doubt,
          claimed.lane = 'open' AND EXISTS (
              SELECT FROM sender.cancellation WHERE cancellation.message_id = claimed.message_id) AS cancelled,
          CASE WHEN claimed.lane = 'open' THEN ARRAY(
              SELECT kind FROM sender.consent
              WHERE consent.recipient = ANY ({SPELLINGS.format("claimed.recipient")})
                AND consent.package_id IN (claimed.package_id, '*'))
          END AS consents""")

DUE_WORK = text("""
SELECT EXISTS (SELECT FROM sender.delivery
               WHERE lane = :lane AND state <> 'settled' AND due_at <= statement_timestamp()) AS due_now,
       (SELECT CAST(extract(epoch FROM min(due_at) - statement_timestamp()) AS float8) FROM sender.delivery
        WHERE lane = :lane AND state <> 'settled' AND due_at > statement_timestamp()) AS next_in_seconds""")

RENEW = text("""
UPDATE sender.delivery SET due_at = clock_timestamp() + make_interval(secs => :lease)
WHERE delivery_id = :delivery_id AND claim = :claim AND worker = :worker AND state IN ('claimed', 'sending')""")

# A call begins only if its recipient is not erased, its message not cancelled and its recipient not suppressed. A stop
# that is committed after this statement began does not change the call any more. A caller cannot cancel replies, and
# they need no consent.
START_CALLS = text(f"""
WITH {IN_ORDER},
starting AS (
    SELECT starting.delivery_id, starting.claim, starting.resent,
           CASE WHEN stored.recipient = '{ERASED}' THEN 'erased'
                WHEN stored.lane <> 'open' THEN NULL
                WHEN EXISTS (SELECT FROM sender.cancellation
                             WHERE cancellation.message_id = starting.message_id) THEN 'cancelled'
                WHEN EXISTS (SELECT FROM sender.consent
                             WHERE consent.recipient = ANY ({SPELLINGS.format("stored.recipient")})
                               AND kind = 'suppression'
                               AND consent.package_id IN (stored.package_id, '*')) THEN 'suppressed' END AS stop
    FROM {unnest(StartRow, "starting")} JOIN sender.delivery AS stored USING (delivery_id))
UPDATE sender.delivery AS stored
SET state = CASE WHEN starting.stop IS NULL THEN 'sending' ELSE stored.state END,
    uncalled = CASE WHEN starting.stop IS NULL THEN 0 ELSE stored.uncalled END,
    resent = stored.resent OR (starting.resent AND starting.stop IS NULL),
    due_at = clock_timestamp() + make_interval(secs => :lease)
FROM starting JOIN locked USING (delivery_id)
WHERE stored.delivery_id = starting.delivery_id AND stored.claim = starting.claim AND stored.worker = :worker
  AND stored.state IN ('claimed', 'sending')
RETURNING stored.delivery_id, stored.claim, starting.stop""")

# One statement writes results and events, so that no result is stored without its events. The second part of the
# condition accepts a late result of the previous claim, as long as the newest claim has not begun a call. If the newest
# claim has settled the delivery as unknown, only the result `sent` is accepted.
WRITE_RESULTS = text(f"""
WITH {IN_ORDER},
written AS (
UPDATE sender.delivery AS stored
SET state = result.state, due_at = clock_timestamp() + make_interval(secs => result.wait), worker = NULL,
    status = result.status,
    gateway_message_id = CASE WHEN stored.recipient <> '{ERASED}' THEN result.gateway_message_id END,
    heard = CASE WHEN stored.recipient <> '{ERASED}' OR result.state <> 'settled' THEN stored.heard END,
    resent = stored.resent AND NOT result.last_try_not_sent,
    asked = CASE WHEN result.state = 'settled' THEN NULL ELSE stored.asked END
FROM {unnest(ResultRow, "result")} JOIN locked USING (delivery_id)
WHERE stored.delivery_id = result.delivery_id AND (
    (stored.claim = result.claim AND stored.worker = :worker AND stored.state IN ('claimed', 'sending'))
    OR (result.definite AND stored.claim = result.claim + 1 AND stored.uncalled = stored.claim
        AND (stored.state IN ('claimed', 'sending') OR (stored.status = 'unknown' AND result.status = 'sent'))))
RETURNING stored.delivery_id, result.claim),
stored_events AS (
INSERT INTO sender.unpublished (delivery_id, claim, type, lane, body, traceparent)
SELECT event_of, event_claim, event_type, :lane, event_body, event_traceparent
FROM {unnest(NewEventRow, "event")} JOIN written ON (delivery_id, claim) = (event_of, event_claim))
SELECT delivery_id, claim FROM written""")

_OTHER = """SELECT FROM sender.delivery
    WHERE profile_id = :profile_id AND recipient = ANY (CAST(:recipients AS text[])) AND delivery_id <> :delivery_id"""
IS_ONLY_DELIVERY = text(f"""
SELECT NOT EXISTS ({_OTHER} AND state <> 'settled')
   AND NOT EXISTS ({_OTHER} AND state = 'settled'
                   AND due_at > statement_timestamp() - make_interval(secs => :seconds))""")
"""Both conditions read an index: of the deliveries that are not settled, and of the settled ones by time."""

UNPUBLISHED = text("""
SELECT delivery_id, type, body, traceparent, claim FROM sender.unpublished
WHERE lane = :lane AND settled_at <= statement_timestamp() - make_interval(secs => :seconds)
ORDER BY settled_at LIMIT :limit""")

MARK_PUBLISHED = text(f"""
DELETE FROM sender.unpublished
USING (SELECT unpublished.delivery_id, unpublished.claim
       FROM sender.unpublished JOIN {unnest(ClaimKey, "published")} USING (delivery_id, claim)
       ORDER BY unpublished.delivery_id, unpublished.claim FOR UPDATE OF unpublished) AS published
WHERE unpublished.delivery_id = published.delivery_id AND unpublished.claim = published.claim""")

INSERT_CANCELLATIONS = text("""
INSERT INTO sender.cancellation (message_id)
SELECT message_id FROM unnest(CAST(:message_id AS text[])) AS cancelled (message_id)
ORDER BY message_id ON CONFLICT DO NOTHING""")
