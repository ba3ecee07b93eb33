"""Stops: the statements that end held deliveries, piece by piece, after a cancellation or because the recipient's
consent forbids them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from pacer.core.stop_progress import CancellationProgress
from pacer.sql.contacts import STILL_HELD
from spreader.phone.sql_spellings import SPELLINGS
from spreader.runtime.rows import unnest

CANCELLED = "cancelled by the caller"


@dataclass(frozen=True, slots=True)
class Cancellation:
    message_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class StoppedRecipient:
    """A recipient whose held deliveries end because of a change of consent. `package_id` '*' means all packages.

    There is a row for each spelling of the number, because an older version of the pacer holds a delivery under the
    number as it was given.
    """

    package_id: str
    recipient: str
    reason: str


@dataclass(frozen=True, slots=True)
class DeliveryEnd:
    """The end of a delivery without a release."""

    delivery_id: str
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class StoppedDelivery:
    delivery_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class HeldRecipient:
    """A held delivery, read by the walk of the consent enforcer, which goes from recipient to recipient.

    `is_stopped`: its package requires opt-ins, and its recipient has not opted in.
    """

    recipient: str
    profile_id: str
    delivery_id: str
    is_stopped: bool


STOPS_LOCK_SHARED = text("SELECT pg_advisory_xact_lock_shared(hashtext('pacer.stops'))")
STOPS_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('pacer.stops'))")
"""A stop (a cancellation or a change of consent) takes this lock exclusively, and intakes share it. So a stop first
waits until the intakes in progress have committed. Without this wait, it might not see their deliveries. Every later
intake sees the stop. The lock is held only until the stop is stored. After that, the held deliveries are ended piece by
piece, without the lock."""

CANCELLATION_INSERT = text(f"""
INSERT INTO pacer.cancellation (message_id, at, pending_after)
SELECT message_id, at, 0 FROM {unnest(Cancellation, "cancelled")} ORDER BY message_id ON CONFLICT DO NOTHING""")

CANCELLED_DELIVERIES = text("""
WITH pending AS MATERIALIZED (
    SELECT message_id, pending_after, noted_at FROM pacer.cancellation WHERE pending_after IS NOT NULL
    ORDER BY noted_at LIMIT :messages FOR UPDATE SKIP LOCKED)
SELECT pending.message_id, found.delivery_id, found.seq, found.state = 'held' AS is_held
FROM pending LEFT JOIN LATERAL (
    SELECT delivery_id, seq, state FROM pacer.delivery
    WHERE delivery.message_id = pending.message_id AND seq > pending.pending_after ORDER BY seq LIMIT :rows) AS found
  ON true
ORDER BY pending.noted_at, pending.message_id, found.seq LIMIT :rows""")
"""Rows of `pacer.core.stop_progress.ExaminedDelivery`. The transaction locks the cancellations that it reads, so
another process takes other cancellations."""

CANCELLATION_ADVANCE = text(f"""
UPDATE pacer.cancellation SET pending_after = progress.pending_after
FROM {unnest(CancellationProgress, "progress")} WHERE cancellation.message_id = progress.message_id""")

STOPPED_RECIPIENT_INSERT = text(f"""
INSERT INTO pacer.stopped_recipient (package_id, recipient, reason)
SELECT stopped.package_id, stopped.recipient, stopped.reason
FROM {unnest(StoppedRecipient, "stopped")}
CROSS JOIN LATERAL (
    SELECT 1 FROM pacer.delivery
    WHERE delivery.recipient = stopped.recipient AND state = 'held'
      AND stopped.package_id IN (delivery.package_id, '*') LIMIT 1) AS held
ORDER BY stopped.recipient, stopped.package_id ON CONFLICT DO NOTHING""")
"""Stores only recipients that have held deliveries. Intake itself checks the consent for deliveries that arrive
later."""

STOPPED_RECIPIENT_LIFT = text(f"""
DELETE FROM pacer.stopped_recipient USING {unnest(StoppedRecipient, "lifted")}
WHERE stopped_recipient.recipient = lifted.recipient AND stopped_recipient.package_id = lifted.package_id
  AND stopped_recipient.reason = lifted.reason""")

STOPPED_RECIPIENTS = text("""
SELECT package_id, recipient, reason FROM pacer.stopped_recipient LIMIT :rows FOR UPDATE SKIP LOCKED""")

_HELD_OF_STOPPED = """
    SELECT delivery_id FROM pacer.delivery
    WHERE delivery.recipient = stopped.recipient AND state = 'held'
      AND stopped.package_id IN (delivery.package_id, '*')"""

STOPPED_DELIVERIES = text(f"""
SELECT matching.delivery_id, stopped.reason
FROM {unnest(StoppedRecipient, "stopped")}
CROSS JOIN LATERAL ({_HELD_OF_STOPPED} OFFSET 0) AS matching LIMIT :rows""")

STOPPED_RECIPIENT_DONE = text(f"""
DELETE FROM pacer.stopped_recipient USING (
    SELECT stopped.* FROM {unnest(StoppedRecipient, "stopped")}
    LEFT JOIN LATERAL ({_HELD_OF_STOPPED} LIMIT 1) AS held ON true
    WHERE held.delivery_id IS NULL) AS done
WHERE stopped_recipient.recipient = done.recipient AND stopped_recipient.package_id = done.package_id
  AND stopped_recipient.reason = done.reason""")

NO_SORT = text("SET LOCAL enable_sort = off")
"""Right after a large intake the planner believes that few deliveries are held. It would then sort all of them to find
the first ones, instead of reading the index in its order."""

HELD_RECIPIENTS = text(f"""
SELECT page.recipient, page.profile_id, page.delivery_id,
       page.package_id = ANY (CAST(:package_ids AS text[])) AND NOT EXISTS (
           SELECT 1 FROM pacer.consent
           WHERE consent.recipient = ANY ({SPELLINGS.format("page.recipient")})
             AND consent.package_id IN (page.package_id, '*')
             AND consent.kind = 'opt_in') AS is_stopped
FROM (
    SELECT recipient, profile_id, delivery_id, package_id FROM pacer.delivery
    WHERE state = 'held' AND (recipient, profile_id) >= (:recipient, :profile_id)
      AND (recipient, profile_id, delivery_id) > (:recipient, :profile_id, :delivery_id)
    ORDER BY recipient, profile_id, delivery_id LIMIT :rows) AS page
ORDER BY page.recipient, page.profile_id, page.delivery_id""")
"""The next held deliveries of all packages, in an order that does not change while they are held."""

DELIVERY_END = text(f"""
UPDATE pacer.delivery SET state = ended.state, announced = false, reason = ended.reason, changed_at = clock_timestamp()
FROM {unnest(DeliveryEnd, "ended")}
WHERE delivery.delivery_id = ended.delivery_id AND delivery.delivery_id = ANY (ARRAY(
    SELECT delivery_id FROM pacer.delivery
    WHERE delivery_id = ANY (CAST(:delivery_id AS text[])) AND {STILL_HELD} FOR UPDATE SKIP LOCKED))
RETURNING delivery.delivery_id""")
"""Ends those of the given deliveries that are still held and that no other transaction has locked. It waits for no
lock, so it cannot deadlock with a release pass."""

STOPPED_AT_RELEASE = text(f"""
UPDATE pacer.delivery SET state = stopped.state, announced = false, reason = stopped.reason,
                          changed_at = clock_timestamp()
FROM (
    SELECT chosen.delivery_id,
           CASE WHEN cancellation.message_id IS NULL THEN 'suppressed' ELSE 'cancelled' END AS state,
           CASE WHEN cancellation.message_id IS NULL THEN stop.reason ELSE '{CANCELLED}' END AS reason
    FROM pacer.delivery AS chosen
    LEFT JOIN pacer.cancellation USING (message_id)
    LEFT JOIN LATERAL (
        SELECT reason FROM pacer.stopped_recipient
        WHERE stopped_recipient.recipient = chosen.recipient
          AND stopped_recipient.package_id IN (chosen.package_id, '*') LIMIT 1) AS stop ON true
    WHERE chosen.delivery_id = ANY (CAST(:delivery_ids AS text[]))
      AND (cancellation.message_id IS NOT NULL OR stop.reason IS NOT NULL)) AS stopped
WHERE delivery.delivery_id = stopped.delivery_id AND {STILL_HELD}
RETURNING delivery.delivery_id""")
"""Of the deliveries that a release pass has chosen, ends those that are cancelled or whose recipient is stopped. Either
the stopper has not reached them yet, or they were deferred after their message was cancelled."""
