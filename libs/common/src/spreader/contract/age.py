"""Age: how old a record may be when a service acts on it for the first time (decision 0049)."""

from datetime import datetime, timedelta

OLDEST = timedelta(days=8)
"""A service refuses an older record, except a record that it remembers. Kafka keeps records for a shorter time, at most
seven and a half days (`spreader.kafka.topics`)."""
REPEATED_WITHIN = timedelta(hours=72)
"""A caller may repeat a request for this long after the first time, because ingress keeps its `Idempotency-Key` for
this long."""
REMEMBERED = timedelta(days=12)
"""For this long, in wall time, a service remembers what it did. It is longer than `OLDEST` and `REPEATED_WITHIN`
together."""
REFUSED = (
    f"its request was written to Kafka more than {OLDEST.days} days ago, and this system no longer remembers whether "
    "it was sent; send it again as a new message if it was not"
)


def refusal_of_age(written_at: datetime | None, now: datetime) -> str | None:
    """Why a service refuses a record that it does not remember. None: it accepts the record.

    Both times are wall time. `written_at` is the time at which the request was first written to Kafka. If it is None,
    the time is not known, and the record is accepted.
    """
    return REFUSED if written_at is not None and now - written_at > OLDEST else None
