"""Overdue outcomes: the statement that finds releases whose outcomes have not arrived. Times are system time."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text


@dataclass(frozen=True, slots=True)
class OverdueRelease:
    """A release without an outcome. `message_id`, `recipient` and `attempt` are those of its delivery. They are None if
    the delivery has another release or attempt by now, or is deleted. Then nothing is at the gateway for this
    release."""

    profile_id: str
    number: int
    package_id: str
    delivery_id: str
    released_at: datetime
    message_id: str | None
    recipient: str | None
    attempt: int | None


OVERDUE_RELEASES = text("""
SELECT overdue.profile_id, overdue.number, overdue.package_id, overdue.delivery_id, overdue.released_at,
       delivery.message_id, coalesce(delivery.given, delivery.recipient) AS recipient, delivery.attempt
FROM pacer.package
CROSS JOIN LATERAL (
    SELECT * FROM pacer.release
    WHERE (CAST(:package_id AS text) IS NULL OR package.package_id = :package_id)
      AND release.package_id = package.package_id AND effective_at = 'infinity' AND release.released_at <= :before
      AND (release.profile_id, release.number) > (:profile_id, :number)) AS overdue
LEFT JOIN pacer.delivery ON delivery.delivery_id = overdue.delivery_id AND delivery.profile_id = overdue.profile_id
     AND delivery.release = overdue.number AND delivery.state = 'released'
WHERE delivery.announced IS NOT FALSE
ORDER BY overdue.profile_id, overdue.number LIMIT :rows""")
"""A release that is not published yet is not overdue, because the sender cannot know it. If `package_id` is null, the
releases of all packages are found."""

OVERDUE_COUNT = text("""
SELECT count(*) FROM pacer.release
WHERE package_id = :package_id AND effective_at = 'infinity' AND released_at <= :before""")
