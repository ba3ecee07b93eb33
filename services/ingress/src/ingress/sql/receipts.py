"""Postgres: the statements of receipts: which delivery is meant, and what waits until it is known.

Ages are taken against `now()`: an index on them is of no use beside `clock_timestamp()`, which is another each time.
"""

from sqlalchemy import text

_TRACE = "(SELECT traceparent FROM ingress.message WHERE message.message_id = {of}.message_id) AS traceparent"
_DELIVERY = f"""
delivery_id, message_id, package_id, lane, recipient, profile_id, attempt, {_TRACE.format(of="delivery")}"""
_MEANT = f"""
LATERAL (
    SELECT {_DELIVERY} FROM ingress.delivery WHERE delivery_id = told.delivery_id
    UNION ALL
    SELECT {_DELIVERY} FROM ingress.delivery
    WHERE told.delivery_id IS NULL AND profile_id = told.profile_id AND gateway_message_id = told.gateway_message_id
    LIMIT 1
) AS meant"""
"""By our own id where the wire carries it, else by the gateway's."""

MEANT = text(f"""
SELECT told.place, meant.*
FROM unnest(CAST(:delivery_ids AS text[]), CAST(:profile_ids AS text[]), CAST(:gateway_message_ids AS text[]))
     WITH ORDINALITY AS told (delivery_id, profile_id, gateway_message_id, place)
CROSS JOIN {_MEANT}""")

KEEP = text("""
INSERT INTO ingress.receipt_waiting
    (profile_id, gateway_message_id, status, package_id, delivery_id, recipient, at, failure, code, reason)
SELECT * FROM unnest(
    CAST(:profile_ids AS text[]), CAST(:gateway_message_ids AS text[]), CAST(:statuses AS text[]),
    CAST(:package_ids AS text[]), CAST(:delivery_ids AS text[]), CAST(:recipients AS text[]),
    CAST(:ats AS timestamptz[]), CAST(:failures AS text[]), CAST(:codes AS text[]), CAST(:reasons AS text[]))
    AS told (profile_id, gateway_message_id, status, package_id, delivery_id, recipient, at, failure, code, reason)
ORDER BY profile_id, gateway_message_id, status, code
ON CONFLICT DO NOTHING""")
"""In one order: gateways repeat themselves, and two calls with the same receipts wait for each other's rows."""

_WAITING = """
told.package_id AS told_package_id, told.profile_id AS told_profile_id, told.gateway_message_id, told.status, told.at,
told.failure, told.code, told.reason"""
_NAMED = f"""
SELECT {_WAITING}, meant.* FROM ingress.receipt_waiting AS told CROSS JOIN {_MEANT}"""

NAMED_BY_DELIVERIES = text(f"""{_NAMED}
WHERE EXISTS (SELECT FROM ingress.receipt_waiting) AND (told.profile_id, told.gateway_message_id) IN (
    SELECT waiting.profile_id, waiting.gateway_message_id FROM ingress.receipt_waiting AS waiting
    WHERE waiting.delivery_id = ANY(CAST(:delivery_ids AS text[]))
    UNION
    SELECT delivery.profile_id, delivery.gateway_message_id FROM ingress.delivery
    WHERE delivery.delivery_id = ANY(CAST(:delivery_ids AS text[])) AND delivery.gateway_message_id IS NOT NULL)
ORDER BY told.profile_id, told.gateway_message_id, told.status, told.code
LIMIT :limit FOR UPDATE OF told SKIP LOCKED""")
"""What waits for any of these deliveries. Where nothing waits at all, it costs nothing."""
NAMED_BY_AGE = text(f"""{_NAMED}
WHERE told.kept_at BETWEEN now() - CAST(:oldest AS interval) AND now() - interval '2 seconds'
ORDER BY told.profile_id, told.gateway_message_id, told.status, told.code
LIMIT :limit FOR UPDATE OF told SKIP LOCKED""")

DROP = text("""
DELETE FROM ingress.receipt_waiting
USING unnest(CAST(:profile_ids AS text[]), CAST(:gateway_message_ids AS text[]), CAST(:statuses AS text[]),
             CAST(:codes AS text[]))
      AS gone (profile_id, gateway_message_id, status, code)
WHERE receipt_waiting.profile_id = gone.profile_id AND receipt_waiting.status = gone.status
  AND receipt_waiting.gateway_message_id = gone.gateway_message_id
  AND receipt_waiting.code IS NOT DISTINCT FROM gone.code""")

_NEAR = "BETWEEN {at} - interval '1 hour' AND {at} + interval '1 hour'"
ECHOES = text(f"""
SELECT {_WAITING}, doubtful.delivery_id, doubtful.message_id, doubtful.package_id, doubtful.lane, doubtful.recipient,
       doubtful.profile_id, doubtful.attempt, {_TRACE.format(of="doubtful")}
FROM ingress.receipt_waiting AS told JOIN ingress.delivery AS doubtful
  ON doubtful.profile_id = told.profile_id AND doubtful.recipient = told.recipient
 AND doubtful.gateway_message_id IS NULL
 AND (doubtful.status = 'unknown' OR doubtful.lane = 'reply' AND doubtful.stage = 0)
 AND told.at {_NEAR.format(at="doubtful.at")}
WHERE told.recipient IS NOT NULL AND told.kept_at > now() - CAST(:oldest AS interval)
  AND told.kept_at < now() - CASE doubtful.lane WHEN 'reply' THEN interval '2 seconds' ELSE interval '5 seconds' END
  AND 1 = (SELECT count(*) FROM ingress.receipt_waiting AS other
           WHERE other.profile_id = told.profile_id AND other.recipient = told.recipient
             AND other.at {_NEAR.format(at="doubtful.at")})
  AND 1 = (SELECT count(*) FROM ingress.delivery AS other
           WHERE other.profile_id = told.profile_id AND other.recipient = told.recipient
             AND other.gateway_message_id IS NULL
             AND (other.status IN ('unknown', 'released') OR other.lane = 'reply' AND other.stage = 0)
             AND told.at {_NEAR.format(at="other.at")})
LIMIT :limit FOR UPDATE OF told SKIP LOCKED""")
"""Echoes that can be of one delivery only, and deliveries in doubt that can be of one echo only.

An echo is quicker than the gateway's own answer: in its first seconds the delivery's name is likely to come by itself.
A reply gets fewer of them: the sender sends it again when it has heard nothing for 5 s.
"""

FORGET = text("""
DELETE FROM ingress.receipt_waiting WHERE ctid IN (
    SELECT ctid FROM ingress.receipt_waiting
    WHERE kept_at < now() - interval '1 day'
       OR kept_at < (SELECT kept_at FROM ingress.receipt_waiting ORDER BY kept_at DESC
                        OFFSET CAST(:kept_max AS bigint) - 1 LIMIT 1)
    ORDER BY kept_at LIMIT :limit)""")
"""What nobody has asked for in a day, and the oldest of what is too many."""
