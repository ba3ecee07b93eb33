"""Age: how old a record may be when a service acts on it for the first time (decision 0049)."""

from datetime import datetime, timedelta

OLDEST = timedelta(days=8)
"""Kafka deletes a record after seven and a half days (`spreader.kafka.topics`)."""
REPEATED_WITHIN = timedelta(hours=72)
"""How much later than its first record a request may be written again: as long as an `Idempotency-Key` is kept."""
REMEMBERED = "12 days"
"""For how long, in wall time, a service remembers what it did: longer than both together."""
REFUSED = (
    f"its request was written to Kafka more than {OLDEST.days} days ago, and this system no longer remembers whether "
    "it was sent; send it again as a new message if it was not"
)


def refusal_of_age(written_at: datetime | None, now: datetime) -> str | None:
    """Why a record that this service does not know is refused; None if it is not. Both times are wall time.

    `written_at`: when the request was first written to Kafka. None: it is not known, so the record is not refused.
    """
    return REFUSED if written_at is not None and now - written_at > OLDEST else None
