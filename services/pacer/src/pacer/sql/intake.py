"""Intake: the statements that hold assigned deliveries and settle released ones. Times are system time."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from pacer.sql.contacts import COLD, ReleaseKey
from pacer.sql.stops import CANCELLED
from spreader.phone.canonical import PersonKey
from spreader.phone.sql_spellings import SPELLINGS
from spreader.runtime.rows import column, unnest


@dataclass(frozen=True, slots=True)
class AssignedRow:
    """A delivery that the router assigned. `place`: its place in the batch, which decides its place in the queue."""

    place: int
    delivery_id: str
    message_id: str
    package_id: str
    profile_id: str
    recipient: PersonKey
    given: str | None
    """The number as it was given, if it differs from the key."""
    tried: str
    """Profile ids, separated by commas."""
    not_before: datetime
    timing: str | None
    expires_at: datetime | None
    refused: str | None
    """Why the delivery expires at once, if the pacer does not know this assignment yet. None: it does not expire."""
    cancelled: str | None
    """Why the delivery is cancelled at once. None: it is not, unless its message is."""
    waits: bool
    """Whether the delivery has no profile. Then `profile_id` is the waiting queue of its package."""
    index: int = column("int")
    attempt: int = column("int")
    rank: int = column("smallint")


@dataclass(frozen=True, slots=True)
class AssignedProfile:
    """`assigned_at`: the time of the newest assignment to the profile."""

    profile_id: str
    package_id: str
    assigned_at: datetime | None


@dataclass(frozen=True, slots=True)
class ReturnEndRow:
    """As `pacer.core.settlement.ReturnEnd`."""

    delivery_id: str
    reason: str | None
    attempt: int = column("int")


@dataclass(frozen=True, slots=True)
class SettlementRow:
    delivery_id: str
    release: int
    state: str
    not_before: datetime | None
    reason: str | None
    attempt: int = column("int")


ENDED = "('settled', 'cancelled', 'expired', 'suppressed')"
"""The states of deliveries that have ended."""

MESSAGE_INSERT = text("""
INSERT INTO pacer.message (message_id, package_id, content, strategy, options, requested_at, traceparent)
VALUES (:message_id, :package_id, :content, :strategy, :options, :requested_at, :traceparent)
ON CONFLICT DO NOTHING""")

DELIVERY_HOLD = text(f"""
INSERT INTO pacer.delivery AS held (delivery_id, message_id, package_id, profile_id, recipient, given, index, attempt,
                                    tried, rank, cold, asked_at, not_before, timing, expires_at, state, announced,
                                    reason, waiting_since, seq)
SELECT taken.delivery_id, taken.message_id, taken.package_id, taken.profile_id, taken.recipient, taken.given,
       taken.index, taken.attempt, string_to_array(taken.tried, ','), taken.rank, {COLD}, taken.not_before,
       taken.not_before, taken.timing, coalesce(taken.expires_at, 'infinity'),
       CASE WHEN coalesce(cancellation.message_id, taken.cancelled) IS NOT NULL THEN 'cancelled'
            WHEN suppression.reason IS NOT NULL THEN 'suppressed'
            WHEN taken.refused IS NOT NULL THEN 'expired' ELSE 'held' END,
       coalesce(cancellation.message_id, taken.cancelled, suppression.reason, taken.refused) IS NULL,
       CASE WHEN cancellation.message_id IS NULL
            THEN coalesce(taken.cancelled, suppression.reason, taken.refused) END,
       CASE WHEN taken.waits THEN CAST(:now AS timestamptz) END, taken.seq
FROM (
    SELECT asked.*, nextval('pacer.delivery_seq_seq') AS seq
    FROM {unnest(AssignedRow, "asked")} LEFT JOIN pacer.delivery AS stored USING (delivery_id)
    WHERE stored.delivery_id IS NULL OR stored.attempt < asked.attempt AND stored.state NOT IN {ENDED}
    ORDER BY asked.place) AS taken
LEFT JOIN pacer.cancellation USING (message_id)
LEFT JOIN pacer.contact ON contact.profile_id = taken.profile_id AND contact.recipient = taken.recipient
CROSS JOIN LATERAL (
    SELECT CASE WHEN bool_or(kind = 'suppression') THEN CAST(:suppressed AS text)
                WHEN bool_or(kind = 'opt_in') IS NOT TRUE AND taken.package_id = ANY (CAST(:opted_in_only AS text[]))
                THEN CAST(:not_opted_in AS text) END AS reason
    FROM pacer.consent
    WHERE consent.recipient = ANY ({SPELLINGS.format("taken.recipient")})
      AND consent.package_id IN (taken.package_id, '*')) AS suppression
ORDER BY taken.delivery_id
ON CONFLICT (delivery_id) DO UPDATE
SET profile_id = excluded.profile_id, recipient = excluded.recipient, given = excluded.given,
    attempt = excluded.attempt, tried = excluded.tried, rank = excluded.rank, cold = excluded.cold,
    asked_at = greatest(excluded.asked_at, held.asked_at),
    not_before = greatest(excluded.not_before, held.asked_at), timing = excluded.timing,
    put_off_by = NULL, state = excluded.state, announced = excluded.announced, release = NULL,
    reason = excluded.reason, changed_at = clock_timestamp(),
    waiting_since = CASE WHEN excluded.waiting_since IS NOT NULL
                         THEN coalesce(held.waiting_since, excluded.waiting_since) END
WHERE held.attempt < excluded.attempt AND held.state NOT IN {ENDED}
RETURNING delivery_id""")
"""A delivery may have been deferred to a later time and come back with its next attempt. It still waits until that
time. A delivery that has ended stays so, even if the router chooses a profile for it again in a replay.

Two instances may store the same deliveries after a rebalance, so both lock them in the order of their ids, which is
also the order of `DELIVERY_SETTLE`. Deliveries that do not change are left out, because ON CONFLICT would lock them in
another order than a release pass does. `seq` keeps the order of the batch."""

PROFILE_WAKE_OR_INSERT = text(f"""
INSERT INTO pacer.profile AS known (profile_id, package_id, assigned_until, look_at)
SELECT profile_id, package_id, assigned_at, CAST(:now AS timestamptz)
FROM {unnest(AssignedProfile, "assigned")}
ORDER BY profile_id
ON CONFLICT (profile_id) DO UPDATE SET look_at = least(known.look_at, excluded.look_at),
    package_id = CASE WHEN excluded.assigned_until < known.assigned_until THEN known.package_id
                      ELSE excluded.package_id END,
    assigned_until = greatest(known.assigned_until, excluded.assigned_until),
    moved = known.moved OR known.package_id <> excluded.package_id""")
"""The newest assignment decides which package the profile belongs to, because an older assignment may be read again
after the newest one."""

PACKAGE_INSERT = text("""
INSERT INTO pacer.package (package_id) SELECT unnest(CAST(:package_ids AS text[])) ON CONFLICT DO NOTHING""")

RELEASE_SETTLE = text(f"""
UPDATE pacer.release SET effective_at = :now
FROM (
    SELECT open.profile_id, open.number
    FROM {unnest(ReleaseKey, "answered")}
    JOIN pacer.release AS open ON open.profile_id = answered.profile_id AND open.number = answered.number
     AND open.effective_at = 'infinity'
    ORDER BY open.profile_id, open.number FOR UPDATE OF open) AS locked
WHERE release.profile_id = locked.profile_id AND release.number = locked.number""")
"""Two instances may settle the same releases after a rebalance. Each locks them in the order of their keys, so that the
two cannot deadlock."""

DELIVERY_SETTLE = text(f"""
WITH settled AS (
    SELECT delivery.delivery_id, answered.attempt, answered.release, answered.not_before, answered.reason,
           CASE WHEN answered.state <> 'held' THEN answered.state
                WHEN cancellation.message_id IS NOT NULL THEN 'cancelled'
                WHEN :now >= first_released_at + CAST(:tried_for AS interval) OR :now >= expires_at THEN 'expired'
                ELSE 'held' END AS state
    FROM {unnest(SettlementRow, "answered")}
    JOIN pacer.delivery ON delivery.delivery_id = answered.delivery_id AND delivery.attempt = answered.attempt
     AND delivery.release = answered.release AND delivery.state = 'released'
    LEFT JOIN pacer.cancellation USING (message_id)
    ORDER BY delivery_id FOR UPDATE OF delivery)
UPDATE pacer.delivery
SET state = settled.state, announced = settled.state NOT IN ('cancelled', 'expired'),
    not_before = coalesce(settled.not_before, delivery.not_before),
    asked_at = coalesce(settled.not_before, delivery.asked_at), put_off_by = NULL,
    reason = CASE WHEN settled.state = 'cancelled' THEN '{CANCELLED}' ELSE settled.reason END,
    changed_at = clock_timestamp()
FROM settled
WHERE delivery.delivery_id = settled.delivery_id AND delivery.attempt = settled.attempt
  AND delivery.release = settled.release AND delivery.state = 'released'""")
"""Locks only what it settles. A repeated outcome would otherwise lock deliveries that are held again, in another order
than a release pass does."""

RETURN_END = text(f"""
UPDATE pacer.delivery SET state = 'settled', announced = true, reason = ended.reason, changed_at = clock_timestamp()
FROM (
    SELECT returned.delivery_id, answered.reason FROM {unnest(ReturnEndRow, "answered")}
    JOIN pacer.delivery AS returned ON returned.delivery_id = answered.delivery_id
     AND returned.attempt <= answered.attempt AND returned.state IN ('returned', 'released')
    ORDER BY returned.delivery_id FOR UPDATE OF returned) AS ended
WHERE delivery.delivery_id = ended.delivery_id""")
"""Also ends deliveries in the state `released`, because the pacer may not have read yet that the sender returned them.
If the pacer could not store the assignment of a later attempt, the outcome of that attempt ends the stored attempt."""

PACKAGES_SHARE = text("""
SELECT package_id FROM pacer.package WHERE package_id = ANY (CAST(:package_ids AS text[]))
ORDER BY package_id FOR SHARE""")
"""Waits for the release passes in progress that have locked these packages."""

PROFILES_WAKE = text("""
UPDATE pacer.profile SET look_at = least(look_at, CAST(:now AS timestamptz)) WHERE profile_id IN (
    SELECT profile_id FROM pacer.profile
    WHERE profile_id = ANY (CAST(:profile_ids AS text[]))
       OR (package_id = ANY (CAST(:package_ids AS text[])) AND awaits_answer)
       OR (profile_id = ANY (CAST(:answered_ids AS text[])) AND awaits_own_event)
    ORDER BY profile_id FOR UPDATE)""")
"""Wakes all of `profile_ids`. In the packages `package_ids` it wakes the profiles that wait only for an answer to some
release of their package. Of `answered_ids` it wakes the profiles that wait for an answer to one of their own
releases."""
